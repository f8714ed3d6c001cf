"""What of a trace travels: W3C traceparent and tracestate, never baggage. Pure, so that workflow code may use it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from temporalio.api.common.v1 import Payload

HEADER = "_tracer-data"
"""The Temporal header that the SDK's own interceptors use too."""

_FIELDS = ("traceparent", "tracestate")
_PARTS = 4
_JSON = b"json/plain"


@dataclass(frozen=True, slots=True)
class Position:
    """A span in its trace."""

    traceparent: str
    tracestate: str | None = None

    @classmethod
    def of(cls, carrier: Mapping[str, object]) -> Position | None:
        """The position that these headers name; None where they name none."""
        parent, state = (carrier.get(name) for name in _FIELDS)
        if not isinstance(parent, str) or len(parent.split("-")) != _PARTS:
            return None
        return cls(parent, state if isinstance(state, str) else None)

    @classmethod
    def received(cls, headers: Mapping[str, Payload]) -> Position | None:
        """The position that Temporal headers name; None where they name none."""
        payload = headers.get(HEADER)
        # Whatever else stands there: a trace is no reason for a workflow to stand still.
        if payload is None or payload.metadata.get("encoding") != _JSON:
            return None
        try:
            carrier: object = json.loads(payload.data)
        except ValueError:
            return None
        return cls.of(carrier) if isinstance(carrier, dict) else None

    @property
    def carrier(self) -> dict[str, str]:
        """The headers that name it."""
        state = {} if self.tracestate is None else {"tracestate": self.tracestate}
        return {"traceparent": self.traceparent, **state}

    @property
    def trace_id(self) -> str:
        """32 hex digits."""
        return self.traceparent.split("-")[1]

    @property
    def span_id(self) -> str:
        """16 hex digits."""
        return self.traceparent.split("-")[2]

    def below(self, span_id: str) -> Position:
        """The position of a span below this one."""
        version, trace, _, flags = self.traceparent.split("-")
        return Position(f"{version}-{trace}-{span_id}-{flags}", self.tracestate)

    def sent(self, headers: Mapping[str, Payload]) -> dict[str, Payload]:
        """Temporal headers with this position."""
        return {**headers, HEADER: Payload(metadata={"encoding": _JSON}, data=json.dumps(self.carrier).encode())}


def run_span_id(run_id: str, what: str) -> str:
    """The id of a span of a workflow's run: the same each time, so that what is worked out again is no second span."""
    return hashlib.sha256(f"{run_id}/{what}".encode()).hexdigest()[:16]
