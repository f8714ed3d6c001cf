"""One connection: no caller holds it for ever, however slowly or wrongly it speaks.

Two deadlines (for a head, for a body), a limit of connections, n8n's bare answers to what is no request, and an end
that lets a caller who is still sending read its answer first.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from starter.wire.strict_http import StrictConnection

_LINGER_S = 2.0
"""Seconds that a refused caller gets to read why."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How long and how many."""

    header_deadline_s: float = 20.0
    body_deadline_s: float = 60.0
    connections: int = 500
    retry_after_s: int = 5
    half_closed_s: float = 5.0
    """Seconds in which a caller that has ended its side is still answered."""
    grace_s: int = 10
    """Seconds that requests in flight get when the server stops: more than a start may take."""


class _Phase(Enum):
    HEAD = "head"
    BODY = "body"
    OTHER = "other"


class GuardedProtocol(H11Protocol):
    """uvicorn's protocol over a strict parser, under limits."""

    conn: StrictConnection
    cycle: RequestResponseCycle | None  # type: ignore[assignment] # uvicorn begins with None, whatever it declares

    def __init__(self, limits: ConnectionLimits, **server: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(**server)
        self.conn = StrictConnection()
        self._limits = limits
        self._phase: tuple[_Phase, object] = (_Phase.OTHER, None)
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._lingering = False
        self._half_closed = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, unless there are too many."""
        # uvicorn closes in several places: they must all close as this class does.
        super().connection_made(cast("asyncio.Transport", _LateClosing(transport, self._close)))
        if len(self.connections) > 2 * self._limits.connections:
            transport.abort()
        elif len(self.connections) > self._limits.connections:
            self._turn_away()
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        for timer in (self._deadline, self._stall):
            if timer:
                timer.cancel()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read, unless nothing is read any more."""
        if not self._lingering:
            super().data_received(data)
            self._watch()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer a caller that has said everything and only listens now; others are done."""
        if self._lingering:
            return False
        if self.conn.their_state is h11.SEND_BODY or (self.conn.their_state is h11.IDLE and self.conn.buffered):
            self._refuse(HTTPStatus.BAD_REQUEST)
            return False
        if self.cycle is None or self.cycle.response_complete:
            return False
        self._half_closed = True
        # Whether it still listens or has gone cannot be told.
        self._deadline = self.loop.call_later(self._limits.half_closed_s, self.transport.close)
        # Whoever waits for an outcome takes this as the caller's leaving, and may still answer.
        self.cycle.message_event.set()
        return True

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - n8n's answer says nothing
        """Refuse what the parser cannot read."""
        self._refuse(self.conn.refusal)

    def on_response_complete(self) -> None:
        """Go on with the next request, or end with the caller."""
        if self._lingering:
            self.flow.resume_reading()
            return
        super().on_response_complete()
        if not self._half_closed:
            self._watch()
        elif self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def shutdown(self) -> None:
        """End as soon as the request in flight, if any, has its answer; one that has not come in full comes again."""
        if self._lingering:
            self.transport.abort()
        elif self.conn.their_state is h11.SEND_BODY:
            self._turn_away()
        else:
            super().shutdown()
            if self.cycle is not None and not self.cycle.response_complete:
                # Whoever waits for an outcome answers now.
                self.cycle.message_event.set()

    def pause_writing(self) -> None:
        """Watch a caller that does not take its answer."""
        super().pause_writing()
        self._watch_stall()

    def resume_writing(self) -> None:
        """Stop watching it."""
        super().resume_writing()
        if self._stall:
            self._stall.cancel()

    def _watch(self) -> None:
        # A phase belongs to its request: each has its own time.
        phase = (self._current_phase(), self.cycle)
        if phase == self._phase or self._lingering:
            return
        self._phase = phase
        if self._deadline:
            self._deadline.cancel()
        limits = {_Phase.HEAD: self._limits.header_deadline_s, _Phase.BODY: self._limits.body_deadline_s}
        if phase[0] in limits:
            self._deadline = self.loop.call_later(limits[phase[0]], self._too_slow)

    def _current_phase(self) -> _Phase:
        if self.conn.their_state is h11.SEND_BODY:
            return _Phase.BODY
        # Between two requests uvicorn's own keep-alive time runs.
        waiting = self.cycle is None or self.conn.buffered
        return _Phase.HEAD if self.conn.their_state is h11.IDLE and waiting else _Phase.OTHER

    def _too_slow(self) -> None:
        silent = self.conn.their_state is h11.IDLE and not self.conn.buffered
        if silent:
            self.transport.close()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _watch_stall(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(self._limits.body_deadline_s, self._stalled, waiting)

    def _stalled(self, waiting: int) -> None:
        if self.transport.get_write_buffer_size() < waiting:
            self._watch_stall()
        else:
            self.transport.abort()

    def _turn_away(self) -> None:
        self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, f"Retry-After: {self._limits.retry_after_s}\r\n")

    def _refuse(self, status: HTTPStatus, headers: str = "") -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            # The application must not answer any more.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state is h11.SEND_BODY:
            # Half of an answer is out: another one would be read as its rest.
            self.transport.abort()
            return
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            line = f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            self.transport.write(f"{line}{headers}Connection: close\r\n\r\n".encode())
        self._linger(_LINGER_S)

    def _close(self, transport: asyncio.Transport) -> None:
        if self.conn.their_state is not h11.SEND_BODY or transport.is_closing():
            transport.close()
        elif not self._lingering:
            # Closed at once, the connection would be reset under a sender that has not read its answer yet.
            self._linger(self._limits.body_deadline_s)

    def _linger(self, seconds: float) -> None:
        self._lingering = True
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        if self._deadline:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self.transport.abort)
        with contextlib.suppress(OSError):
            self.transport.write_eof()


class _LateClosing:
    """A transport that is closed by its protocol's rules."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[asyncio.Transport], None]) -> None:
        self._transport = transport
        self._close = close

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)

    def close(self) -> None:
        """End the connection."""
        self._close(self._transport)
