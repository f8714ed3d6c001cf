"""Reading HTTP/1.1 as strictly as n8n's server: what two parsers could read in two ways is refused."""

from __future__ import annotations

import re
from http import HTTPStatus

import h11

HEAD_LIMIT = 16 * 1024
"""Bytes that a request line and its headers may have together, as in n8n."""

_VERSIONS = frozenset({b"1.0", b"1.1"})
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_FOLDED_LINE = re.compile(rb"\n[ \t]")
_LENGTHS = re.compile(rb"^content-length:([^\r]*)", re.IGNORECASE | re.MULTILINE)


class StrictConnection(h11.Connection):
    """The server's side of a connection."""

    refusal = HTTPStatus.BAD_REQUEST
    """What to answer after `next_event` has raised."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, HEAD_LIMIT)

    @property
    def buffered(self) -> bytes:
        """What has come and is not read yet."""
        return self.trailing_data[0]

    def next_event(self) -> type[h11.NEED_DATA | h11.PAUSED] | h11.Event:
        """The next event; raises `h11.RemoteProtocolError` where there can be none."""
        before = self.buffered if self.their_state is h11.IDLE else b""
        try:
            event = super().next_event()
            if isinstance(event, h11.Request):
                _check(event, before[: len(before) - len(self.buffered)])
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
                self.refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise
        return event


def _check(request: h11.Request, head: bytes) -> None:
    if len(head) > HEAD_LIMIT:
        raise h11.RemoteProtocolError("head too long", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    problem = _problem(request, head)
    if problem:
        raise h11.RemoteProtocolError(problem)


def _problem(request: h11.Request, head: bytes) -> str | None:
    if request.http_version not in _VERSIONS:
        return "unknown HTTP version"
    if request.method == b"CONNECT":
        return "no proxy"
    if _BARE_LINE_FEED.search(head) or _FOLDED_LINE.search(head):
        return "odd line ends"
    # h11 merges equal lengths, and lets Transfer-Encoding win over them.
    lengths = _LENGTHS.findall(head)
    if len(lengths) > 1 or any(b"," in length for length in lengths):
        return "several lengths"
    encoded = any(name == b"transfer-encoding" for name, _ in request.headers)
    if encoded and (lengths or request.http_version == b"1.0"):
        return "a length of two kinds"
    return None
