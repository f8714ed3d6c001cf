"""Taking secrets out of what a service says, before anything stores or shows it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping

MASK = "[secret]"

_CREDENTIALS = (
    re.compile(r"(?<=://)[^/\s@]+(?=@)"),
    re.compile(r"\b(?:Bearer|Basic)\s+[\w.~+/=:*-]{6,}", re.IGNORECASE),
    # "Key" is also an English word: only what looks like a credential after it is one.
    re.compile(r"\bKey\s+(?=\S*[\d*]|\S+:\S|\S{16})[\w.~+/=:*-]{8,}", re.IGNORECASE),
    re.compile(r"\b(?:sk|pk|rk|r8|hf|xai)[-_][\w*.-]{6,}", re.IGNORECASE),
    re.compile(
        r"(?:api[-_ ]?key|access[-_]?token|secret|password|signature)[\"']?\s*[=:]\s*[\"']?[^\s\"'&,;}]{6,}",
        re.IGNORECASE,
    ),
)


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without the given secrets and without anything that looks like a credential."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    for pattern in _CREDENTIALS:
        text = pattern.sub(MASK, text)
    return text


def secrets_in(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Every secret that authentication headers carry: the values, their tokens, and a Basic pair's password."""
    tokens = [value.rpartition(" ")[2] for value in headers.values()]
    passwords = [_password(value) for value in headers.values() if value.startswith("Basic ")]
    return (*headers.values(), *tokens, *passwords)


def _password(value: str) -> str:
    try:
        return base64.b64decode(value.removeprefix("Basic ")).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
