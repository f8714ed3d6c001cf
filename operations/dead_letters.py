"""The dead letters that are meant, how many of them there are, and what is done about each."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client

from activities.dead_letters import dead_letters
from contracts.dead_letters import NEEDS_A_CHANGE, DeadLetter, LetterFilter, remedy
from contracts.taxonomy import FailureClass

_OTHER_SERVICE = frozenset(
    {
        FailureClass.PROVIDER_OVERLOADED,
        FailureClass.PROVIDER_INTERNAL,
        FailureClass.CONNECT_FAILED,
        FailureClass.QUOTA_EXHAUSTED,
        FailureClass.PERMISSION_DENIED,
    }
)
"""Causes that another image service may be free of."""


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Some dead letters, and how many there are."""

    letters: tuple[DeadLetter, ...]
    counts: Mapping[str, int]
    """All that match, by cause."""
    services: Mapping[str, int]
    """All that match, by image service."""
    oldest: datetime | None

    @property
    def total(self) -> int:
        """All that match."""
        return sum(self.counts.values())


async def find_dead_letters(client: Client, chosen: LetterFilter, limit: int | None = None) -> DeadLetters:
    """The dead letters that are meant, newest request first, at most `limit` of them; raises `RPCError`."""
    letters: list[DeadLetter] = []
    counts: Counter[str] = Counter()
    services: Counter[str] = Counter()
    oldest: datetime | None = None
    async for letter in dead_letters(client, chosen):
        counts[letter.cause or "unknown"] += 1
        services[letter.service or "unknown"] += 1
        oldest = min(filter(None, (oldest, letter.since)), default=None)
        if limit is None or len(letters) < limit:
            letters.append(letter)
    return DeadLetters(tuple(letters), dict(counts.most_common()), dict(services.most_common()), oldest)


def suggested(letter: DeadLetter, services: tuple[str, ...]) -> str:
    """What to do about a dead letter, in one sentence with its command; `services` are the configured ones."""
    return f"{remedy(letter)} Then: {command(letter, services)}"


def command(letter: DeadLetter, services: tuple[str, ...]) -> str:
    """The command that does it."""
    options = ["--generate-again"] if letter.failure in NEEDS_A_CHANGE else []
    others = () if letter.may_be_paid else services
    other = next((name for name in others if name != letter.service), None)
    words = ["orchestrator", "dead-letters", "redrive", letter.request_id, "--route", letter.route, *options]
    line = f"{shlex.join(words)} --reason WHY"
    return f"{line} (or with --service {other})" if other and letter.failure in _OTHER_SERVICE else line
