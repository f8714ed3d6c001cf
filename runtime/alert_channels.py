"""Sending through a channel by Apprise. Its URL holds credentials: nothing of it leaves this module.

Apprise logs URLs, hosts and recipients, and its failures are log lines. So its lines are caught here, and a failure is
told in words of our own.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import warnings
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from contracts.alert_texts import Message
from contracts.alerts import Severity
from runtime.alert_settings import AlertChannelSettings
from runtime.secrets import SecretMissingError, resolve

if TYPE_CHECKING:
    from runtime.settings import Settings

_GRACE_S = 5.0
_HTTP = re.compile(r"\berror=(\d{3})\b")
_SMTP = re.compile(r"Socket Exception: \(?.*?\b([45]\d\d)\b")
_WORDS = (
    ("refused", "the connection is refused: check that the server runs and that its port is right"),
    ("timed out", "no answer: check the address and the network"),
    ("name or service not known", "its host is not known: check the address"),
    ("failed to resolve", "its host is not known: check the address"),
    ("name resolution", "its host is not known: check the address"),
    ("certificate", "its certificate is not trusted: renew it, or install its authority"),
    ("unexpectedly closed", "the server closes the connection: check the port, and whether it wants TLS"),
    ("connection error", "no connection: check that the server is up and reachable"),
)
_STATUSES = {
    401: "check the credentials in the URL",
    403: "check the credentials and the rights of the account",
    404: "check the address in the URL",
    410: "the address is no longer in use: make a new one",
    429: "too many messages: it is tried again later",
}
_UNKNOWN = "the message was not taken: check the URL against the service's page of Apprise"


class AlertNotSentError(Exception):
    """A channel did not take a message. The text says why and what to do, and nothing of its URL."""


@functools.cache
def _apprise() -> ModuleType:
    """Apprise, with its own log lines kept to itself."""
    logger = logging.getLogger("apprise")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    # The reason of a failure stands in its lines of this level only.
    logger.setLevel(logging.DEBUG)
    # At debug it writes the path of each request, which is the secret of most webhooks.
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Its modules are loaded at first use, some by ways that Python 3.11 announces the end of.
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise  # noqa: PLC0415 - loading it takes as long as the rest of the command line

        apprise.Apprise.instantiate("json://localhost")
    return apprise


def channel_problem(channel: AlertChannelSettings) -> str | None:
    """Why messages cannot be sent through a channel, as far as its URL tells; None where nothing is wrong."""
    try:
        _opened(channel)
    except (AlertNotSentError, SecretMissingError) as error:
        return str(error)
    return None


def channel_problems(settings: Settings) -> Iterator[str]:
    """One line for each channel whose URL cannot be used; a missing one is told with the other secrets."""
    for name, channel in settings.alerts.channels.items():
        try:
            _opened(channel)
        except AlertNotSentError as error:
            yield f"alerts.channels.{name}.url: {error}"
        except SecretMissingError:
            continue


async def send(channel: AlertChannelSettings, message: Message) -> None:
    """Send a message once; raises `AlertNotSentError`, `SecretMissingError`."""
    target = _opened(channel)
    try:
        await asyncio.wait_for(asyncio.to_thread(_notify, target, channel, message), channel.timeout_s + _GRACE_S)
    except TimeoutError:
        raise AlertNotSentError(_late(channel)) from None


def _late(channel: AlertChannelSettings) -> str:
    return f"no answer within {channel.timeout_s:g} s: check the address and the network"


def _opened(channel: AlertChannelSettings) -> Any:  # noqa: ANN401 - Apprise is loaded at first use
    library = _apprise()
    asset = library.AppriseAsset(
        app_id="orchestrator", app_desc="AI image orchestrator", app_url="", service_timeout=channel.timeout_s
    )
    target = library.Apprise(asset=asset)
    if not target.add(resolve(channel.url)) or len(target) == 0:
        raise AlertNotSentError(
            f"what {channel.url} holds is no Apprise URL that can be used: compare it with the service's page of "
            "Apprise, as mailtos://user:password@host?to=you@example.com"
        )
    if len(target) > 1:
        raise AlertNotSentError(f"{channel.url} holds several URLs: make a channel of each")
    return target


def _notify(target: Any, channel: AlertChannelSettings, message: Message) -> None:  # noqa: ANN401 - as above
    library = _apprise()
    severities = {
        Severity.INFO: library.NotifyType.INFO,
        Severity.WARNING: library.NotifyType.WARNING,
        Severity.CRITICAL: library.NotifyType.FAILURE,
    }
    result = target.notify(
        title=message.title,
        body=message.body,
        notify_type=library.NotifyType.SUCCESS if message.over else severities[message.severity],
        body_format=library.NotifyFormat.TEXT,
        timeout=channel.timeout_s,
        log_level=logging.DEBUG,
    )
    if result:
        return
    timed_out = result.status is library.AppriseResultStatus.TIMEOUT
    raise AlertNotSentError(_late(channel) if timed_out else _reason(entry.message for entry in result.logs()))


def _reason(lines: Iterable[str]) -> str:
    """Why it failed, in words of our own."""
    text = "\n".join(lines)
    status = _HTTP.search(text)
    if status is not None:
        return _answered("the service", int(status[1]))
    reply = _SMTP.search(text)
    if reply is not None and "SMTP" in text:
        return _answered("the mail server", int(reply[1]))
    return next((words for word, words in _WORDS if word in text.lower()), _UNKNOWN)


def _answered(who: str, status: int) -> str:
    server_fault = 500 <= status < 600 and who == "the service"  # noqa: PLR2004 - HTTP's own classes
    what = "it has a fault of its own" if server_fault else "check the URL, its credentials and recipients"
    return f"{who} answered {status}: {_STATUSES.get(status, what)}"
