"""The journal of the local image service: every call, and what was paid for."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """One generation request and how it went."""

    at: float
    """Epoch seconds."""
    path: str
    correlation_id: str
    """The X-Correlation-Id header, or the prompt where there is none."""
    prompt: str
    fault: str | None
    paid: bool
    """An image was made, even if the answer was lost."""
    status: int | None
    """The HTTP status, or None where nothing was answered."""


class CallJournal:
    """The newest calls in order of their answers, and the number of paid calls by correlation id."""

    def __init__(self, limit: int = 20_000) -> None:
        self._calls: deque[Call] = deque(maxlen=limit)
        self._paid: Counter[str] = Counter()

    def record(self, call: Call) -> None:
        """Add a call."""
        self._calls.append(call)
        if call.paid:
            self._paid[call.correlation_id] += 1

    def clear(self) -> None:
        """Forget everything."""
        self._calls.clear()
        self._paid.clear()

    def report(self) -> Mapping[str, object]:
        """The journal as JSON."""
        return {"calls": [asdict(call) for call in self._calls], "paid": dict(self._paid)}
