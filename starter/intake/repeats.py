"""Posts without an id or a date of their own: equal ones close together are one request, a later one is another.

The first post takes the id that its content gives. A later one that finds it taken looks when: within the window it is
the same request, else its id is derived from that start, and so on. So posts at the same time contend for the same id,
which only one of them gets, and no clock tick lies between two of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.client import Client
from temporalio.service import RPCError

from contracts.identity import workflow_id
from runtime.temporal import TemporalUnreachableError
from starter.intake.starting import Started, StartResult, start_or_compare
from starter.intake.submission import Submission
from starter.intake.temporal_calls import served_within

MOST_STEPS = 50
"""Ids that are looked at for one post; more have never been needed, since the newest is asked for."""
_NEWEST = 20


@dataclass(frozen=True, slots=True)
class UndatedPost:
    """A post that only its content and the time tell from others."""

    first_id: str
    """The request id that its content gives."""
    came_at: datetime
    window_s: float
    """Seconds in which an equal post is the same request."""


def is_repeat(started_at: datetime, now: datetime, window_s: float) -> bool:
    """Whether a post at `now` is the request that was started then; clocks may differ, so never too early."""
    return now - started_at <= timedelta(seconds=window_s)


def later_id(first_id: str, started_at: datetime) -> str:
    """The id of the request that comes after the one that was started then."""
    return f"{first_id}~{int(started_at.timestamp() * 1000)}"


async def start_unless_repeated(
    client: Client, post: UndatedPost, prepare: Callable[[str], Submission], deadline_s: float
) -> tuple[Submission, Started]:
    """Start the workflow of a post, prepared under the id that it gets, or find the one that it repeats.

    Raises `TemporalUnreachableError` where nothing is known to be durable, `RPCError` where Temporal refuses.
    """
    async with served_within(deadline_s):
        request_id, seen = post.first_id, False
        for _ in range(MOST_STEPS):
            prepared = prepare(request_id)
            started = await start_or_compare(client, prepared)
            if started.result is StartResult.NEW:
                return prepared, started
            if started.started_at is None or is_repeat(started.started_at, post.came_at, post.window_s):
                return prepared, Started(StartResult.SAME, started.run_id, started.started_at)
            request_id = later_id(post.first_id, started.started_at)
            if not seen:
                seen = True
                request_id = await _newest(client, prepared, post.first_id, started.started_at) or request_id
    raise TemporalUnreachableError(f"no free id was found for the request in {MOST_STEPS} steps")


async def _newest(client: Client, prepared: Submission, first_id: str, after: datetime) -> str | None:
    """A shortcut past the requests in between: what the visibility store does not know yet is walked to from there."""
    begin = workflow_id(prepared.input.route, f"{first_id}~")
    if '"' in begin or "\\" in begin or not begin.endswith("~"):
        return None
    found = client.list_workflows(f'WorkflowId STARTS_WITH "{begin}"', page_size=_NEWEST, limit=_NEWEST)
    try:
        newest = max([one async for one in found], key=lambda one: one.start_time, default=None)
    except RPCError:
        # Only a shortcut: without it the walk is longer.
        return None
    if newest is None or newest.start_time <= after:
        return None
    return newest.id.removeprefix(f"{prepared.input.route}/")
