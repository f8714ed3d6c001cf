"""When the other side says that it may be called again. Pure: the present is passed in."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from pydantic import JsonValue

from contracts.json_body import parse_json

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|h|m|s))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_HOLDERS = ("error", "detail")
_WINDOWS = ("-requests", "-tokens", "")


def retry_after_s(headers: Mapping[str, str], body: bytes, *, now: float) -> float | None:
    """Seconds until the next call is allowed, or None where the answer does not say.

    The first usable of: retry-after-ms, Retry-After as seconds or HTTP date, the body's retry_after, the body's
    RetryInfo. `headers` are case-insensitive, `now` is in epoch seconds. Negative and non-finite times count as absent.
    A date is read by the clock of whoever wrote it: from the answer's Date on, else from `now`.
    """
    return next((delay for delay in _named(headers, parse_json(body), now) if delay is not None), None)


def rate_limit_reset_s(headers: Mapping[str, str]) -> float | None:
    """Seconds until an exhausted limit is reset, by the x-ratelimit-reset headers.

    Every answer of some services carries them: they mean something only where the answer is a refusal for the rate.
    """
    resets = {window: _duration(headers.get(f"x-ratelimit-reset{window}")) for window in _WINDOWS}
    known = {window: reset for window, reset in resets.items() if reset is not None}
    spent = [reset for window, reset in known.items() if headers.get(f"x-ratelimit-remaining{window}") == "0"]
    return max(spent) if spent else min(known.values(), default=None)


def _named(headers: Mapping[str, str], content: JsonValue, now: float) -> Iterator[float | None]:
    milliseconds = _seconds(headers.get("retry-after-ms"))
    yield None if milliseconds is None else milliseconds / 1000
    yield _seconds(headers.get("retry-after"))
    written = _moment(headers.get("date"))
    named = _moment(headers.get("retry-after"))
    yield None if named is None else _seconds(named - (now if written is None else written))
    for part in _parts(content):
        yield _duration(part.get("retry_after"))
    for part in _parts(content):
        yield from _retry_info(part.get("details"))


def _parts(content: JsonValue) -> Iterator[dict[str, JsonValue]]:
    if isinstance(content, dict):
        yield content
        yield from (part for name in _HOLDERS if isinstance(part := content.get(name), dict))


def _retry_info(details: JsonValue) -> Iterator[float | None]:
    for detail in details if isinstance(details, list) else ():
        yield _duration(detail.get("retryDelay")) if isinstance(detail, dict) else None


def _seconds(value: JsonValue) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _duration(value: JsonValue) -> float | None:
    """Seconds of a number or of text such as `6m0s`, `59.9s`, `250ms`."""
    if isinstance(value, str) and _DURATION.fullmatch(value):
        return math.fsum(float(amount) * _UNITS[unit] for amount, unit in _PART.findall(value))
    return _seconds(value)


def _moment(value: str | None) -> float | None:
    """An HTTP date in epoch seconds."""
    try:
        moment = parsedate_to_datetime(value or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
