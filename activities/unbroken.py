"""Work that goes on to its end even where its attempt is torn down meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

log = structlog.get_logger(__name__)

_T = TypeVar("_T")


async def unbroken(work: Coroutine[Any, Any, _T]) -> _T:
    """The result of `work`; a cancellation waits until it has ended, since a half-done one could not be told."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await left_alone(task)
        raise


async def beside(also: Coroutine[Any, Any, object], work: Coroutine[Any, Any, _T]) -> _T:
    """The result of `work`, with `also` done at the same time; both have ended then."""
    task = asyncio.ensure_future(also)
    try:
        return await work
    finally:
        await left_alone(task)


async def left_alone(task: asyncio.Future[Any]) -> None:
    """Wait for work whose outcome nobody is told any more; the next attempt reads it from the store."""
    await asyncio.wait([task])
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.info("abandoned_work_failed", reason=str(error))
