"""`orchestrator alerts` as its users run it, where there is neither Temporal nor a worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.alert_board import Board, ChannelShown
from operations.alerts import STALE_S, problems
from runtime.configuration import load_settings
from tests.alerts.looks import BEGIN
from tests.alerts.receivers import Mailbox, Webhook, mail_server, webhook_server
from tests.alerts.watching import write_channels
from tests.operations.commandline import CommandLine, configured

NOT_THERE = "Temporal is not reachable at 127.0.0.1:9"


@pytest.fixture
def line(tmp_path: Path) -> CommandLine:
    """A command line that finds no Temporal."""
    return configured(tmp_path)


async def test_a_test_message_goes_through_each_channel(line: CommandLine) -> None:
    async with mail_server(Mailbox()) as box, webhook_server() as hook:
        write_channels(line, mail=box.url, hook=hook.url())
        ran = await line.call("alerts", "test")
    assert (ran.code, ran.out, ran.err) == (0, "mail: ok\nhook: ok\n", "")
    assert box.mails[0]["subject"] == "[test] alerts"
    assert "This is a test of the channel hook" in hook.texts[0]


async def test_a_channel_that_fails_is_told_with_its_remedy_and_fails_the_command(line: CommandLine) -> None:
    async with webhook_server() as good, webhook_server(Webhook(status=401)) as bad:
        write_channels(line, good=good.url(), bad=bad.url("made-up-hook-path"))
        ran = await line.call("alerts", "test")
        assert (ran.code, ran.out) == (1, "good: ok\n")
        assert ran.err == "bad: failed: the service answered 401: check the credentials in the URL\n"
        only = await line.call("alerts", "test", "--channel", "good", "--json")
    assert (only.code, only.document) == (0, {"channels": [{"channel": "good"}]})
    assert (len(good.posts), bad.tries) == (2, 1)


async def test_what_cannot_be_tested_is_told_in_one_line(line: CommandLine) -> None:
    none = await line.call("alerts", "test")
    assert (none.code, none.err) == (1, "no channel is configured: set alerts.channels.NAME.url (docs/alerts.md)\n")
    write_channels(line, mail="nonsense://made-up-secret")
    unknown = await line.call("alerts", "test", "--channel", "mial")
    assert (unknown.code, unknown.err) == (1, "there is no channel 'mial'; did you mean 'mail'?\n")
    wrong = await line.call("alerts", "test")
    assert wrong.code == 1
    assert wrong.err.count("\n") == 1
    assert "made-up-secret" not in wrong.err


async def test_commands_that_need_temporal_say_that_it_is_not_there(line: CommandLine) -> None:
    ran = await line.call("alerts", "list")
    assert (ran.code, ran.err.startswith(NOT_THERE), ran.err.count("\n")) == (2, True, 1)
    both = await line.call("alerts", "ack", "1", "--all")
    assert (both.code, "name one ALERT, or --all" in both.err) == (2, True)


def test_what_keeps_alerts_from_anybody_is_told_with_its_remedy(line: CommandLine) -> None:
    write_channels(line, mail="json://127.0.0.1:9/x")
    settings = load_settings(line.config)
    failing = ChannelShown(name="mail", failing_since=BEGIN, error="no connection")
    assert list(problems(settings, Board(looked_at=BEGIN), BEGIN + STALE_S)) == []
    (stale,) = problems(settings, Board(looked_at=BEGIN), BEGIN + STALE_S + 1)
    assert stale == "nobody has looked since 2027-01-15 08:00:00 UTC: start a worker"
    (never,) = problems(settings, Board(), BEGIN)
    assert never == "nobody has looked so far: start a worker"
    (blind,) = problems(settings, Board(trouble="no answer"), BEGIN)
    assert blind == "the last look has failed: no answer"
    (deaf,) = problems(settings, Board(looked_at=BEGIN, channels=(failing,)), BEGIN)
    assert deaf == "channel mail fails since 2027-01-15 08:00:00 UTC: no connection (orchestrator alerts test)"
    (off,) = problems(settings, None, BEGIN)
    assert off.startswith("the workflow alerts does not run: start a worker")
