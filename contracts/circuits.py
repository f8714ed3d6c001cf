"""Whether an account counts as down, and when a call under a strict rate may leave. Pure decisions."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.model import Frozen

SPREAD_S = 0.1
"""Seconds after its moment within which a call may still leave; the moments lie that much further apart, so that no
second holds more than the rate and one."""
PROBE_AGAIN_S = 5.0
"""Seconds after which those who wait for the outcome of a probe look again."""


class Circuit(Frozen):
    """Closed while `open_until` is None; half-open once that has passed."""

    failures: int = 0
    """Calls in a row that were not served."""
    open_until: float | None = None
    """Epoch seconds."""
    probe_until: float | None = None
    """Until when the call that tries again is waited for."""

    @property
    def disturbed(self) -> bool:
        """Whether a call that is served changes anything."""
        return self.failures > 0 or self.open_until is not None


def after_failure(circuit: Circuit, failures: int, open_s: float, now: float) -> Circuit:
    """The circuit after a call that was not served; opens at `failures` in a row (0 = never) for `open_s`."""
    if failures == 0 or (circuit.open_until is not None and now < circuit.open_until):
        return circuit
    count = circuit.failures + 1
    # Half-open, one failure is enough.
    opens = circuit.open_until is not None or count >= failures
    return Circuit(failures=count, open_until=now + open_s if opens else None)


def claim_probe(circuit: Circuit, open_s: float, now: float) -> tuple[Circuit, float]:
    """The circuit after a call asked to be the one that tries again, and the seconds it must wait (0 = it may)."""
    if circuit.open_until is None:
        return circuit, 0.0
    if now < circuit.open_until:
        return circuit, circuit.open_until - now
    if circuit.probe_until is not None and now < circuit.probe_until:
        return circuit, min(circuit.probe_until - now, PROBE_AGAIN_S)
    return circuit.model_copy(update={"probe_until": now + open_s}), 0.0


@dataclass(frozen=True, slots=True)
class Reservation:
    """What came of asking for moments."""

    moments: tuple[float, ...]
    next_free: float
    retry_in_s: float


def reserve(next_free: float, now: float, rate: float | None, count: int, within_s: float) -> Reservation:
    """Reserve up to `count` moments within `within_s` of `now`, `rate` a second at most in any second.

    What is not to be had soon enough is not reserved: it would be lost to the others where its caller gives up.
    """
    if rate is None:
        return Reservation((now,) * count, next_free, 0.0)
    apart, at = (1 + SPREAD_S) / rate, max(next_free, now)
    moments: list[float] = []
    while len(moments) < count and at <= now + within_s:
        moments.append(at)
        at += apart
    # By then half of the span that is looked ahead is free again.
    retry_in = max(at - now - within_s / 2, apart) if len(moments) < count else 0.0
    return Reservation(tuple(moments), at, retry_in)
