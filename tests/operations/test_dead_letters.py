"""Dead letters on the command line, with the real workflow and a real server."""

from __future__ import annotations

from uuid import uuid4

from temporalio.client import Client

from contracts.requests import ImageGenerationResult, Outcome
from tests.operations.commandline import CommandLine
from tests.operations.requests_at_work import NO_CREDIT, accepted, parked, told, working


def fresh() -> str:
    return f"dl-{uuid4()}"


async def test_what_is_parked_is_listed_and_explained(online: CommandLine, temporal_client: Client) -> None:
    request_id = fresh()
    async with working(temporal_client, online):
        await parked(temporal_client, online, request_id)
        chosen = ("--service", "main", "--route", "event", "--cause", "quotaexhausted", "--odoo", "acme")
        listed = await online.call("dead-letters", "list", *chosen)
        shown = await online.call("dead-letters", "show", request_id)
    (row,) = [line for line in listed.out.splitlines() if line.startswith(request_id)]
    assert row.split()[1:6] == ["event", "main", "QuotaExhausted", "AI_QUOTA_EXHAUSTED", "generate"]
    assert "QuotaExhausted" in listed.out.splitlines()[-1]
    assert shown.code == 0
    for said in ("no credit left", "Add credit to the account", "parked as dead letter 1"):
        assert said in shown.out


async def test_a_filter_leaves_the_others_out(online: CommandLine, temporal_client: Client) -> None:
    async with working(temporal_client, online):
        await parked(temporal_client, online, fresh())
    ran = await online.call("dead-letters", "list", "--service", "spare", "--json")
    assert ran.document == {"dead_letters": [], "total": 0, "counts": {}}


async def test_the_limit_bounds_the_rows_and_not_the_counts(online: CommandLine, temporal_client: Client) -> None:
    async with working(temporal_client, online):
        for _ in range(2):
            await parked(temporal_client, online, fresh())
    # Other tests leave dead letters of other causes on the server they share.
    ran = await online.call("dead-letters", "list", "--cause", "QuotaExhausted", "--limit", "1", "--json")
    assert len(ran.document["dead_letters"]) == 1
    assert ran.document["counts"]["QuotaExhausted"] == ran.document["total"] >= 2


async def test_a_redrive_with_an_edit_is_taken_at_once(online: CommandLine, temporal_client: Client) -> None:
    request_id = fresh()
    decision = ("--reason", "credit was added", "--by", "ann", "--edit", "prompt=a fox", "--service", "spare")
    async with working(temporal_client, online):
        handle = await parked(temporal_client, online, request_id)
        ran = await online.call("dead-letters", "redrive", request_id, *decision)
        result = ImageGenerationResult.model_validate(await handle.result())
        log = (await told(handle)).log
    assert (ran.code, ran.out, ran.err) == (0, f"{request_id}: redrive taken\n", "")
    assert result.outcome is Outcome.COMPLETED
    assert result.generated is not None
    assert result.generated.service == "spare"
    assert any("redriven by ann: credit was added" in line for line in log)


async def test_without_a_worker_a_decision_goes_by_signal(online: CommandLine, temporal_client: Client) -> None:
    request_id = fresh()
    async with working(temporal_client, online):
        handle = await parked(temporal_client, online, request_id)
    ran = await online.call("dead-letters", "discard", request_id, "--reason", "not wanted")
    async with working(temporal_client, online):
        result = ImageGenerationResult.model_validate(await handle.result())
    assert ran.code == 0
    assert "sent as a signal, since no worker answered" in ran.out
    assert result.outcome is Outcome.DISCARDED


async def test_each_refusal_is_one_line(online: CommandLine, temporal_client: Client) -> None:
    request_id, done, unknown = fresh(), fresh(), fresh()
    async with working(temporal_client, online):
        await parked(temporal_client, online, request_id)
        await (await accepted(temporal_client, online, done, "a fox")).result()
        redrive = ("dead-letters", "redrive", "--reason", "r")
        several = await online.call(*redrive, request_id, done, unknown, "--service", "x")
        edited = await online.call(*redrive, request_id, "--edit", "width=wide")
        shown = await online.call("dead-letters", "show", done)
    assert (several.code, several.out) == (1, "")
    assert [line.split(": ")[0] for line in several.err.splitlines()] == [request_id, done, unknown]
    assert "There is no image service 'x'; configured: main, spare." in several.err
    assert (edited.code, len(edited.err.splitlines())) == (1, 1)
    assert "width" in edited.err
    assert (shown.code, shown.err) == (1, f"{done} is no dead letter: see it with: orchestrator status {done}\n")


async def test_a_terminal_gets_no_control_characters(online: CommandLine, temporal_client: Client) -> None:
    request_id = f"\x1b[2J{fresh()}"
    async with working(temporal_client, online):
        await accepted(temporal_client, online, request_id, NO_CREDIT, "other")
        ran = await online.call("status", request_id)
    assert ran.code == 0
    assert "\x1b" not in ran.out
