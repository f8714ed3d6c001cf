"""Work that ends with the caller's patience, or with the starter."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

_T = TypeVar("_T")


async def unless_left(request: Request, work: Coroutine[Any, Any, _T]) -> _T | None:
    """The result of the work, or None where the caller leaves or the starter stops first; the work is cancelled then.

    The request's body must have been read. A caller may still be there for the answer.
    """
    done = asyncio.create_task(work)
    # Whatever comes after the body says that the connection ends.
    left = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait([done, left], return_when=asyncio.FIRST_COMPLETED)
        return done.result() if done.done() else None
    finally:
        for task in (done, left):
            task.cancel()
        await asyncio.gather(done, left, return_exceptions=True)
