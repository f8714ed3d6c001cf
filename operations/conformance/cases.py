"""The recorded cases: what is sent, byte for byte, and what a real n8n answered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CASES = Path(__file__).parent / "cases" / "contract.json"
"""The recording."""
WEBHOOKS = Path(__file__).parent / "cases" / "webhooks.json"
"""The webhooks that the cases call, with their test credentials."""

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it stood on the wire."""

    status: int
    headers: Headers
    framing: str
    """How the body's end was told: content-length, chunked, close, or none where there can be no body."""
    body: bytes
    interim: int | None = None
    """The status of an answer before the answer, as 100."""

    def header(self, name: str) -> str | None:
        """The values of a header, joined; None where it is not there."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded exchange."""

    name: str
    method: str
    target: str
    headers: Headers
    """Without Host and Content-Length."""
    body: bytes | None
    expected: Answer

    @property
    def waits(self) -> bool:
        """Whether the body is sent only after an interim answer."""
        return any(name.lower() == "expect" for name, _ in self.headers)

    def head(self, host: str) -> bytes:
        """Request line and headers, with the empty line after them."""
        length = () if self.body is None else (("Content-Length", str(len(self.body))),)
        fields = (("Host", host), *self.headers, *length)
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
        return "\r\n".join(lines).encode("latin-1")


def load_cases(path: Path = CASES) -> list[Case]:
    """Every case of a recording."""
    recording = json.loads(path.read_text(encoding="utf-8"))
    defaults = [(name, value) for name, value in recording["default_headers"]]
    return [_case(recorded, defaults) for recorded in recording["cases"]]


def _case(recorded: Mapping[str, Any], defaults: Headers) -> Case:
    request = recorded["request"]
    own = [(name, value) for name, value in request["headers"]]
    named = {name.lower() for name, _ in own}
    usual = defaults if request.get("default_headers", True) else ()
    headers = [*((name, value) for name, value in usual if name.lower() not in named), *own]
    return Case(
        recorded["name"], request["method"], request["target"], headers, _body(request), _answer(recorded["response"])
    )


def _body(request: Mapping[str, Any]) -> bytes | None:
    fill = request.get("body_fill")
    if fill is not None:
        text: str = fill["prefix"] + fill["unit"] * fill["count"] + fill["suffix"]
        return text.encode()
    return request["body"].encode() if "body" in request else None


def _answer(response: Mapping[str, Any]) -> Answer:
    headers = [(name, value) for name, value in response["headers"]]
    body = response["body"].encode()
    return Answer(response["status"], headers, response["framing"], body, response.get("interim"))
