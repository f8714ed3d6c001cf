"""The slots of an account whose concurrency is limited: who holds one, who waits, who is next. Pure decisions."""

from __future__ import annotations

import base64
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping

from pydantic import Field

from contracts.model import Frozen

PACKED_FROM = 64 * 1024
"""Bytes of JSON from which on a state is handed on compressed: a Temporal payload may have 2 MB, and 8,000 who wait
would exceed that."""


class Lease(Frozen):
    """One slot that is held or waited for."""

    lease: str
    workflow_id: str
    run_id: str
    tenant: str = ""
    priority: int = 3
    """1 first."""
    expires_s: float
    expires_at: float | None = None
    """Epoch seconds; only where the slot is held."""


class SlotState(Frozen):
    """Everything about the slots that a run hands on to the next."""

    held: tuple[Lease, ...] = ()
    waiting: tuple[Lease, ...] = ()
    """Oldest first."""
    turns: dict[str, float] = Field(default={})
    """When each tenant's next turn is, in turns; only where that is later than `turn`."""
    turn: float = 0.0
    """The turn that was served last."""
    packed: str | None = None
    """All of that, compressed, in the place of the rest."""


def packed(state: SlotState) -> SlotState:
    """The state as it is handed on."""
    plain = state.model_dump_json().encode()
    if len(plain) < PACKED_FROM:
        return state
    return SlotState(packed=base64.b64encode(zlib.compress(plain)).decode())


def unpacked(state: SlotState) -> SlotState:
    """The state as it was before it was handed on."""
    if state.packed is None:
        return state
    return SlotState.model_validate_json(zlib.decompress(base64.b64decode(state.packed)))


class SlotDesk:
    """Hands out slots: first the lowest priority number, then the tenant that holds fewest for its weight, then turns.

    The turns (start-time fair queueing) decide where holdings are equal, as always with a single slot: each slot moves
    a tenant's next turn on by 1 / weight, and who was not there gets no credit for it.
    """

    def __init__(self, state: SlotState) -> None:
        state = unpacked(state)
        self._held = {lease.lease: lease for lease in state.held}
        self._waiting = {lease.lease: lease for lease in state.waiting}
        self._turns = dict(state.turns)
        self._turn = state.turn

    @property
    def held(self) -> tuple[Lease, ...]:
        """The slots that are held."""
        return tuple(self._held.values())

    @property
    def waiting(self) -> tuple[Lease, ...]:
        """Those who wait, oldest first."""
        return tuple(self._waiting.values())

    @property
    def next_expiry(self) -> float | None:
        """When the next lease expires, in epoch seconds."""
        return min((lease.expires_at for lease in self._held.values() if lease.expires_at), default=None)

    def state(self) -> SlotState:
        """Everything, to be handed on."""
        return packed(SlotState(held=self.held, waiting=self.waiting, turns=dict(self._turns), turn=self._turn))

    def ask(self, lease: Lease) -> Lease | None:
        """Put a lease in the queue; returns it where it is held already, so that the grant can be repeated."""
        if lease.lease in self._held:
            return self._held[lease.lease]
        self._waiting.setdefault(lease.lease, lease)
        return None

    def release(self, lease: str) -> bool:
        """Give a slot back, or leave the queue; False where neither was the case."""
        held, waiting = self._held.pop(lease, None), self._waiting.pop(lease, None)
        return held is not None or waiting is not None

    def expire(self, now: float) -> tuple[Lease, ...]:
        """Take back what has expired."""
        expired = tuple(lease for lease in self._held.values() if lease.expires_at and lease.expires_at <= now)
        for lease in expired:
            del self._held[lease.lease]
        return expired

    def grant(
        self, limit: int | None, weights: Mapping[str, float], now: float, most: int | None = None
    ) -> tuple[Lease, ...]:
        """Hand out what is free under `limit` (None = everything that is asked for), `most` slots at once."""
        granted: list[Lease] = []
        counts = Counter(lease.tenant for lease in self._held.values())
        while self._waiting and (limit is None or len(self._held) < limit) and (most is None or len(granted) < most):
            chosen = next_waiter(self._waiting.values(), counts, weights, self._turns, self._turn)
            del self._waiting[chosen.lease]
            self._take_turn(chosen.tenant, weights.get(chosen.tenant, 1.0))
            counts[chosen.tenant] += 1
            held = chosen.model_copy(update={"expires_at": now + chosen.expires_s})
            self._held[held.lease] = held
            granted.append(held)
        return tuple(granted)

    def _take_turn(self, tenant: str, weight: float) -> None:
        start = max(self._turns.get(tenant, 0.0), self._turn)
        self._turn = start
        self._turns[tenant] = start + 1 / weight
        self._turns = {name: turn for name, turn in self._turns.items() if turn > start}


def next_waiter(
    waiting: Iterable[Lease],
    held: Mapping[str, int],
    weights: Mapping[str, float],
    turns: Mapping[str, float],
    turn: float,
) -> Lease:
    """Whose turn it is among those who wait (oldest first, at least one); `held` counts slots by tenant."""

    def standing(lease: Lease) -> tuple[int, float, float]:
        share = held.get(lease.tenant, 0) / weights.get(lease.tenant, 1.0)
        return (lease.priority, share, max(turns.get(lease.tenant, 0.0), turn))

    return min(waiting, key=standing)  # of equals the first, which is the oldest
