"""`status`, `cancel` and `send`."""

from __future__ import annotations

from uuid import uuid4

from temporalio.client import Client

from contracts.identity import sha256_hex
from contracts.requests import ImageGenerationResult, Outcome
from runtime.configuration import load_settings
from tests.operations.commandline import CommandLine, Ran
from tests.operations.requests_at_work import FORBIDDEN, IMAGE, NO_CREDIT, accepted, parked, working
from tests.starter.front import running_starter


def fresh() -> str:
    return f"cl-{uuid4()}"


async def test_the_status_has_the_requests_own_log(online: CommandLine, temporal_client: Client) -> None:
    request_id = fresh()
    async with working(temporal_client, online):
        await (await accepted(temporal_client, online, request_id, "a fox")).result()
        shown = await online.run("status", request_id)
        document = (await online.run("status", request_id, "--json")).document
    assert (shown.code, shown.err) == (0, "")
    for said in ("completed", "COMPLETED", f"sha256 {sha256_hex(IMAGE)}", "Odoo took the callback"):
        assert said in shown.out
    assert (document["outcome"], document["workflow_id"]) == ("completed", f"event/{request_id}")
    assert document["log"][-1].endswith("settled: completed")


async def test_without_a_worker_the_status_goes_without_the_log(online: CommandLine, temporal_client: Client) -> None:
    request_id = fresh()
    await accepted(temporal_client, online, request_id, "a fox")
    ran = await online.run("status", request_id)
    assert ran.code == 0
    assert "generating" in ran.out
    assert ran.err == "no worker answered: the request's log is not shown\n"


async def test_an_id_on_two_routes_needs_the_route(online: CommandLine, temporal_client: Client) -> None:
    request_id = fresh()
    for route in ("event", "other"):
        await accepted(temporal_client, online, request_id, "a fox", route)
    either = await online.run("cancel", request_id)
    one = await online.run("cancel", request_id, "--route", "other", "--json")
    assert (either.code, either.err) == (1, "The id was used on several routes: event, other. Name one of them.\n")
    assert one.document == {"request_id": request_id, "route": "other", "cancel_requested": True}


async def test_an_unknown_id_is_one_line(online: CommandLine) -> None:
    ran = await online.run("status", fresh())
    assert (ran.code, ran.out, ran.err) == (1, "", "There is no request with this id.\n")


async def test_a_parked_request_can_be_cancelled(online: CommandLine, temporal_client: Client) -> None:
    request_id = fresh()
    async with working(temporal_client, online):
        handle = await parked(temporal_client, online, request_id)
        ran = await online.run("cancel", request_id)
        result = ImageGenerationResult.model_validate(await handle.result())
    assert ran.code == 0
    assert result.outcome is Outcome.CANCELLED


async def sent(line: CommandLine, client: Client, *arguments: str) -> Ran:
    """`send` to a starter with the command line's configuration, beside a worker."""
    settings = load_settings(line.config)
    store = settings.store.model_copy(update={"path": line.directory / "images"})
    route = settings.routes["event"]
    auth = route.auth.model_copy(update={"secret": f"file:{line.directory / 'secret'}"})
    routes = {"event": route.model_copy(update={"auth": auth})}
    theirs = settings.model_copy(update={"store": store, "routes": routes})
    async with working(client, line), running_starter(theirs, client) as front:
        return await line.run("send", "--url", f"{front.url}/webhook/event", *arguments)


async def test_what_is_sent_comes_back_as_a_file(online: CommandLine, temporal_client: Client) -> None:
    request_id = fresh()
    ran = await sent(online, temporal_client, "--prompt", "a fox", "--id", request_id, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert (ran.document["outcome"], ran.document["acknowledgement"]["status"]) == ("completed", "received")
    assert (online.directory / f"{request_id}.png").read_bytes() == IMAGE
    assert ran.document["images"][0]["sha256"] == sha256_hex(IMAGE)


async def test_a_dead_letter_is_told_with_the_way_out(online: CommandLine, temporal_client: Client) -> None:
    ran = await sent(online, temporal_client, "--prompt", NO_CREDIT, "--id", fresh())
    assert ran.code == 4
    assert "QuotaExhausted" in ran.out
    assert "orchestrator dead-letters redrive cl-" in ran.out


async def test_a_rejection_has_its_own_code(online: CommandLine, temporal_client: Client) -> None:
    ran = await sent(online, temporal_client, "--prompt", FORBIDDEN, "--json", "--out", "no.png")
    assert (ran.code, ran.document["outcome"], ran.document["code"]) == (3, "rejected", "CONTENT_REJECTED")
    assert not (online.directory / "no.png").exists()


async def test_what_the_starter_refuses_is_one_line(online: CommandLine, temporal_client: Client) -> None:
    ran = await sent(online, temporal_client, "--prompt", "a fox", "--size", "big", "--route", "nobody")
    assert (ran.code, ran.err) == (1, "there is no route 'nobody'; configured: bulk, event, other\n")


async def test_no_starter_is_one_line(offline: CommandLine) -> None:
    ran = await offline.run("send", "--prompt", "a fox", "--url", "http://127.0.0.1:9/webhook/event")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (1, "", 1)
    assert "is the starter up?" in ran.err


async def test_wrong_credentials_are_one_line(online: CommandLine, temporal_client: Client) -> None:
    online.config.write_text(online.config.read_text().replace('"X-Api-Key"', '"X-Other"'), encoding="utf-8")
    async with running_starter(load_settings(online.config), temporal_client) as front:
        ran = await online.run("send", "--prompt", "x", "--url", f"{front.url}/webhook/unknown", "--route", "event")
    assert (ran.code, len(ran.err.splitlines())) == (1, 1)
    assert "refused with HTTP 404" in ran.err
