"""Channels on real sockets: mail by SMTP, webhooks by HTTP, and what is told when they fail."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from contracts.alert_texts import Message
from contracts.alerts import Severity
from runtime.alert_channels import AlertNotSentError, channel_problem, channel_problems, send
from runtime.alert_settings import AlertChannelSettings, AlertSettings
from runtime.secrets import SecretMissingError
from runtime.settings import Settings
from tests.alerts.receivers import Mailbox, Webhook, mail_server, webhook_server

HELLO = Message(
    "[warning] dead-letter (3)", "What happened: 3 requests wait.\nWhat to do: redrive.", Severity.WARNING, over=False
)
SECRET = "made-up-path-of-a-hook"


def channel(directory: Path, url: str, timeout_s: float = 30) -> AlertChannelSettings:
    """A channel whose URL stands in a file."""
    file = directory / "url"
    file.write_text(f"{url}\n", encoding="utf-8")
    return AlertChannelSettings(url=f"file:{file}", timeout_s=timeout_s)


def nobody() -> int:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


async def test_a_mail_arrives_by_smtp(tmp_path: Path) -> None:
    async with mail_server(Mailbox()) as box:
        await send(channel(tmp_path, box.url), HELLO)
    (text,) = box.texts
    assert box.recipients == ["ops@example.com"]
    assert box.mails[0]["subject"] == HELLO.title
    assert "3 requests wait." in text
    assert "What to do: redrive." in text


async def test_a_webhook_is_posted(tmp_path: Path) -> None:
    async with webhook_server() as hook:
        await send(channel(tmp_path, hook.url()), HELLO)
    (post,) = hook.posts
    assert (post["title"], post["message"], post["type"]) == (HELLO.title, HELLO.body, "warning")


@pytest.mark.parametrize(
    ("severity", "over", "told"),
    [
        (Severity.INFO, False, "info"),
        (Severity.CRITICAL, False, "failure"),
        (Severity.CRITICAL, True, "success"),
    ],
)
async def test_the_receiver_is_told_how_bad_it_is(tmp_path: Path, severity: Severity, over: bool, told: str) -> None:
    async with webhook_server() as hook:
        await send(channel(tmp_path, hook.url()), Message("t", "b", severity, over=over))
    assert hook.posts[0]["type"] == told


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, "the service answered 401: check the credentials in the URL"),
        (404, "the service answered 404: check the address in the URL"),
        (503, "the service answered 503: it has a fault of its own"),
        (418, "the service answered 418: check the URL, its credentials and recipients"),
    ],
)
async def test_a_refusal_says_what_to_do(tmp_path: Path, status: int, told: str) -> None:
    async with webhook_server(Webhook(status=status)) as hook:
        with pytest.raises(AlertNotSentError) as refused:
            await send(channel(tmp_path, hook.url(SECRET)), HELLO)
    assert str(refused.value) == told


async def test_a_mail_that_is_refused_says_so(tmp_path: Path) -> None:
    async with mail_server(Mailbox(answer="550 no such mailbox")) as box:
        with pytest.raises(AlertNotSentError, match=r"^the mail server answered 550: check the URL, its credentials"):
            await send(channel(tmp_path, box.url), HELLO)


@pytest.mark.parametrize(
    "url", ["json://127.0.0.1:{}/" + SECRET, "mailto://127.0.0.1:{}?mode=insecure&from=a@example.com&to=b@example.com"]
)
async def test_a_server_that_is_not_there_is_told_in_one_line(tmp_path: Path, url: str) -> None:
    with pytest.raises(AlertNotSentError, match=r"^the connection is refused: check that the server runs"):
        await send(channel(tmp_path, url.format(nobody())), HELLO)


async def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(AlertNotSentError, match=r"^no answer within 1 s"):
            await send(channel(tmp_path, f"json://127.0.0.1:{silent.getsockname()[1]}/x", timeout_s=1), HELLO)


@pytest.mark.parametrize("url", [f"nonsense://user:{SECRET}@host", f"not a url {SECRET}", f"json://{SECRET}:x:y"])
def test_a_url_that_cannot_be_used_is_told_without_it(tmp_path: Path, url: str) -> None:
    problem = channel_problem(channel(tmp_path, url))
    assert problem is not None
    assert "is no Apprise URL that can be used" in problem
    assert SECRET not in problem
    assert "\n" not in problem


def test_several_urls_in_one_secret_are_refused(tmp_path: Path) -> None:
    assert "make a channel of each" in (channel_problem(channel(tmp_path, "json://a.example, json://b.example")) or "")


def test_a_channel_that_can_be_used_has_no_problem(tmp_path: Path) -> None:
    assert channel_problem(channel(tmp_path, "mailto://user:pass@mail.example?to=a@example.com")) is None


async def test_a_missing_secret_is_told_by_its_reference() -> None:
    assert "ALERT_URL_THAT_IS_NOT_THERE" not in os.environ
    missing = AlertChannelSettings(url="env:ALERT_URL_THAT_IS_NOT_THERE")
    assert channel_problem(missing) == (
        "the secret env:ALERT_URL_THAT_IS_NOT_THERE is missing or empty: set that environment variable"
    )
    with pytest.raises(SecretMissingError):
        await send(missing, HELLO)


def test_problems_name_the_setting(tmp_path: Path) -> None:
    good, bad = channel(tmp_path, "json://a.example"), AlertChannelSettings(url=f"file:{tmp_path / 'bad'}")
    (tmp_path / "bad").write_text("nonsense://host", encoding="utf-8")
    alerts = AlertSettings(
        channels={"good": good, "bad": bad, "gone": AlertChannelSettings(url="env:NOT_THERE_AT_ALL")}
    )
    (line,) = channel_problems(Settings(alerts=alerts))
    assert line.startswith("alerts.channels.bad.url: ")


async def test_nothing_of_the_url_is_logged(tmp_path: Path, log_lines: StringIO) -> None:
    async with webhook_server(Webhook(status=500)) as hook:
        with pytest.raises(AlertNotSentError) as refused:
            await send(channel(tmp_path, f"json://ann:{SECRET}@127.0.0.1:{hook.port}/{SECRET}"), HELLO)
        hook.status = 200
        await send(channel(tmp_path, hook.url(SECRET)), HELLO)
    with pytest.raises(AlertNotSentError):
        await send(channel(tmp_path, f"json://127.0.0.1:{nobody()}/{SECRET}"), HELLO)
    channel_problem(channel(tmp_path, f"slack://{SECRET}"))
    assert hook.posts
    assert SECRET not in log_lines.getvalue() + str(refused.value)


@pytest.fixture
def log_lines() -> Iterator[StringIO]:
    """Everything that reaches the handlers of a process that logs at level debug."""
    lines, root = StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(lines), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(handler)
    root.setLevel(level)
