"""Alerts from end to end: real requests, the real workflow and activities, real mail and HTTP servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from activities.account_desk import signal_account
from activities.alert_observation import Watch
from activities.alerts import AlertActivities, ensure_alerts
from activities.attempts import AttemptFailedError, run_attempt
from contracts import names
from contracts.accounts import REPORT, CallReport, Limits
from contracts.alerts import Kind, LevelFacts, LookOrder
from contracts.decisions import Discard, Redrive
from contracts.errors import FailureClass, make_failure
from contracts.requests import DeliverInput, DeliveryReceipt
from operations.alerts import read_board
from tests.alerts.receivers import Mailbox, mail_server, webhook_server
from tests.alerts.watching import secrets_of, soon, watching, workflow_worker, write_channels
from tests.operations import requests_at_work
from tests.operations.commandline import CommandLine, configured
from tests.operations.requests_at_work import NO_CREDIT, ImageService, accepted, working
from tests.temporal_server import connected, running_server

MANY = 15
"""Fewer than the service level needs, which dead letters break too."""


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[CommandLine]:
    """A command line with a server of its own: the watch sees everything in its namespace."""
    (tmp_path / "temporal").mkdir()
    async with running_server(tmp_path / "temporal") as address:
        yield configured(tmp_path, address)


async def count(client: Client, query: str, wanted: int) -> None:
    """Wait until visibility has so many."""
    async with asyncio.timeout(60):
        while (await client.count_workflows(query)).count != wanted:
            await asyncio.sleep(0.05)


async def dead_letters(client: Client, line: CommandLine, many: int, prefix: str = "r") -> None:
    """So many equal dead letters."""
    before = (await client.count_workflows('Stage = "parked"')).count
    await asyncio.gather(*(accepted(client, line, f"{prefix}-{n}", NO_CREDIT) for n in range(many)))
    await count(client, 'Stage = "parked"', before + many)


async def test_equal_dead_letters_are_one_message_acknowledged_by_command_and_resolved(line: CommandLine) -> None:
    client = await connected(line.address)
    async with webhook_server() as hook, mail_server(Mailbox()) as box, working(client, line):
        write_channels(line, hook=hook.url("made-up-hook-path"), mail=box.url)
        await dead_letters(client, line, MANY)
        async with watching(client, soon(line, web_ui_url="http://127.0.0.1:8233")) as site:
            (text,) = await hook.until(1)
            board = await site.until(lambda board: all(channel.sent_at for channel in board.channels))
            await site.looks()
            assert (len(hook.posts), len(box.mails)) == (1, 1), (
                "one message for all, and no other while nothing changes"
            )
            assert f"dead-letter QuotaExhausted/main/acme ({MANY})" in text
            assert f"({MANY})" in box.texts[0]
            assert "http://127.0.0.1:8233/namespaces/default/workflows?query=Stage" in text
            (alert,) = board.alerts

            listed = (await line.call("alerts", "list", "--json")).document
            assert [one["condition"]["count"] for one in listed["alerts"]] == [MANY]
            assert listed["problems"] == []
            ran = await line.call("alerts", "ack", str(alert.number), "--by", "ann", "--reason", "adding credit")
            assert (ran.code, ran.err) == (0, "")
            second = await line.call("alerts", "ack", "--all", "--by", "bob")
            assert second.out.startswith(f"{alert.number}: acknowledged by ann before, ")
            assert "acknowledged by ann" in (await line.call("alerts", "list")).out
            again = await line.call("alerts", "ack", "99")
            assert (again.code, again.err) == (1, f"alert 99 is not open; open: {alert.number}\n")

            for n in range(MANY):
                request = client.get_workflow_handle(f"event/r-{n}")
                await request.signal(names.DISCARD, Discard(by="ann", reason="the campaign is over"))
            _, over = await hook.until(2)
            assert over.startswith("[resolved] dead-letter")
            assert (await site.until(lambda board: not board.alerts)).log[-1].count("resolved") == 1
            history = (await line.call("alerts", "history")).out.splitlines()
            assert [part in text for part, text in zip(("opened", "ack", "resolved"), history, strict=True)] == [
                True
            ] * 3

            described = await client.get_workflow_handle(names.ALERTS_WORKFLOW).describe()
            details = str(described.raw_info)
            kept = (await client.get_workflow_handle(names.ALERTS_WORKFLOW).fetch_history()).to_json() + details
            assert not [secret for secret in secrets_of(line.directory) if secret in kept]
            assert "made-up-hook-path" not in kept


async def test_a_mail_server_that_is_down_gets_the_message_once_when_it_is_back_and_holds_up_no_other(
    line: CommandLine,
) -> None:
    client = await connected(line.address)
    async with mail_server(Mailbox()) as box:
        port, url = box.port, box.url
    async with webhook_server() as hook, working(client, line):
        write_channels(line, hook=hook.url(), mail=url)
        await dead_letters(client, line, 2)
        async with watching(client, soon(line)) as site:
            await hook.until(1)
            board = await site.until(lambda board: board.channels[1].error is not None)
            assert board.channels[1].waiting == 1
            assert "the connection is refused" in (board.channels[1].error or "")
            (problem,) = (await line.call("alerts", "list", "--json")).document["problems"]
            assert problem.startswith("channel mail fails since ")
            await dead_letters(client, line, 1, "later")
            async with mail_server(box, port):
                await site.until(lambda board: board.channels[1].sent_at is not None)
                await site.looks()
                assert [text.splitlines()[0] for text in box.texts] == [
                    "[warning] dead-letter QuotaExhausted/main/acme (3)"
                ]
            await site.until(lambda board: board.channels[1].failing_since is None)
            assert len(hook.posts) == 1


async def test_a_broken_service_level_is_told_from_a_real_run(line: CommandLine) -> None:
    client = await connected(line.address)
    async with webhook_server() as hook, working(client, line):
        write_channels(line, hook=hook.url())
        settings = soon(line)
        level = settings.alerts.service_level.model_copy(update={"fast_s": 0.001, "minimum": 6})
        for n in range(6):
            await (await accepted(client, line, f"done-{n}", "a fox")).result()
        await count(client, 'Outcome = "completed"', 6)
        facts = (await Watch(client, settings).look()).level
        assert facts is not None
        assert (facts.due_fast, facts.fast, facts.slow) == (6, 6, 6), "as promised"
        # What came before the window and is completed within it, as by a redrive, says nothing of today.
        begun = time.monotonic()
        late = await accepted(client, line, "redriven", NO_CREDIT)
        await count(client, 'Stage = "parked"', 1)
        window = level.model_copy(update={"window_s": time.monotonic() - begun})
        await asyncio.sleep(window.window_s)
        again = Redrive(by="ann", reason="credit is back", edits={"prompt": "a fox"})
        await late.execute_update(names.REDRIVE_WITH_EDITS, again)
        await late.result()
        old = settings.alerts.model_copy(update={"service_level": window})
        facts = (await Watch(client, settings.model_copy(update={"alerts": old})).look()).level
        assert facts == LevelFacts(due_fast=0, fast=0, due_slow=0, slow=0)
        await count(client, 'Outcome = "completed"', 7)
        alerts = settings.alerts.model_copy(update={"service_level": level})
        async with watching(client, settings.model_copy(update={"alerts": alerts})):
            (text,) = await hook.until(1)
    assert "0 % of 7 requests within 0.001 s, promised are 90%" in text


async def test_quota_and_circuit_of_an_account_are_told_and_over_once_it_serves(line: CommandLine) -> None:
    client = await connected(line.address)

    async def report(ended: str) -> None:
        told = CallReport.model_validate({"ended": ended, "message": "it says no"})
        await signal_account(client, "main", Limits(circuit_failures=1), REPORT, told)

    async with webhook_server() as hook, workflow_worker(client):
        write_channels(line, hook=hook.url())
        async with watching(client, soon(line)) as site:
            await report("no_quota")
            await report("not_served")
            board = await site.until(lambda board: len(board.alerts) == 2)
            assert {alert.condition.kind for alert in board.alerts} == {Kind.SERVICE_DOWN, Kind.QUOTA_EXHAUSTED}
            await hook.until(1)
            await report("served")
            await site.until(lambda board: not board.alerts)
            await site.until(lambda board: board.channels[0].waiting == 0)
    told = " ".join(hook.texts)
    assert ("service-down main" in told, "quota-exhausted main" in told, "[resolved]" in told) == (True, True, True)


@activity.defn(name=names.DELIVER)
async def refuse(call: DeliverInput) -> DeliveryReceipt:
    """An Odoo that is down."""

    async def fail() -> DeliveryReceipt:
        raise AttemptFailedError(make_failure(FailureClass.CALLBACK_UNDELIVERABLE, "Odoo answered 502."))

    return await run_attempt(call.policy, fail)


async def test_an_odoo_that_takes_no_callbacks_is_told(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await connected(line.address)
    monkeypatch.setattr(requests_at_work, "take_delivery", refuse)
    async with webhook_server() as hook, working(client, line):
        write_channels(line, hook=hook.url())
        await accepted(client, line, "stuck", "a fox")
        async with watching(client, soon(line, callback_down_s=0.5)):
            (text,) = await hook.until(1)
    assert "[critical] callback-target-down main" in text
    assert "Odoo main does not take its callbacks." in text


async def test_dead_letters_of_a_service_that_is_not_configured_any_more_are_seen(line: CommandLine) -> None:
    client = await connected(line.address)
    async with working(client, line):
        await dead_letters(client, line, 2)
    (group,) = (await Watch(client, soon(line).model_copy(update={"services": {}})).look()).dead_letters
    assert (group.cause, group.service, group.database, group.count) == ("QuotaExhausted", None, None, 2)


async def test_callbacks_that_no_worker_takes_are_seen(line: CommandLine) -> None:
    text, where = line.config.read_text(encoding="utf-8"), 'base_url = "https://odoo.example"\n'
    line.config.write_text(text.replace(where, f"{where}rate_per_second = 5\n"), encoding="utf-8")
    client, service = await connected(line.address), ImageService(line.directory / "images")
    images = Worker(client, task_queue=names.images_queue("main"), activities=[service.generate_image])
    async with workflow_worker(client), images:
        await accepted(client, line, "alone", "a fox")
        watch = Watch(client, soon(line))
        async with asyncio.timeout(30):
            while (odoo := (await watch.look()).odoos[0]).backlog_age_s <= 0:
                await asyncio.sleep(0.05)
    assert (odoo.odoo, odoo.waiting, odoo.failing_since, odoo.backlog) == ("main", 1, None, 1)


async def test_the_watch_ends_when_no_channel_is_configured_any_more(line: CommandLine) -> None:
    client = await connected(line.address)
    write_channels(line, hook="json://127.0.0.1:9/x")
    settings = soon(line)
    activities = AlertActivities(soon(line, channels={}), client)
    assert await ensure_alerts(client, settings)
    handle = client.get_workflow_handle(names.ALERTS_WORKFLOW)
    async with (
        workflow_worker(client),
        Worker(client, task_queue=names.MAINTENANCE_QUEUE, activities=[activities.observe, activities.send_alert]),
    ):
        await handle.result()
    assert await read_board(client) is None
    assert not await ensure_alerts(client, soon(line, channels={}))
    ran = await line.call("alerts", "list")
    assert (ran.code, ran.out) == (0, "no alert is open\n")
    assert "the workflow alerts does not run: start a worker" in ran.err


async def test_a_calm_look_goes_on_until_something_is_wrong_or_the_worker_stops(line: CommandLine) -> None:
    client = await connected(line.address)
    activities = AlertActivities(soon(line), client)
    calm, stopped, troubled = ActivityEnvironment(), ActivityEnvironment(), ActivityEnvironment()
    looks: list[object] = []
    calm.on_heartbeat = lambda *details: looks.append(details)
    await calm.run(activities.observe, LookOrder(calm_s=2.5))
    assert len(looks) > 1
    stopped.worker_shutdown()
    async with asyncio.timeout(30):
        await stopped.run(activities.observe, LookOrder(calm_s=3600.0))
    async with working(client, line):
        await dead_letters(client, line, 1)
        async with asyncio.timeout(30):
            seen = await troubled.run(activities.observe, LookOrder(calm_s=3600.0))
    assert [group.count for group in seen.dead_letters] == [1]
