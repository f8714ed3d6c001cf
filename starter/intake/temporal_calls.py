"""Calls to Temporal under a deadline, with one error for every way of not being served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.service import RPCError, RPCStatusCode

from runtime.codec import DecryptionError
from runtime.temporal import TemporalUnreachableError

_ANSWERS = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION})


@asynccontextmanager
async def served_within(seconds: float) -> AsyncIterator[None]:
    """Bound the calls inside; raises `TemporalUnreachableError`, or `RPCError` where Temporal did answer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise TemporalUnreachableError(f"Temporal did not answer within {seconds:g} s") from None
    except RPCError as error:
        if error.status in _ANSWERS:
            raise
        raise TemporalUnreachableError(f"Temporal did not serve the call ({error.status.name})") from None
    except DecryptionError as error:
        # What is known of the request cannot be read here: to be asked again once the key is there.
        raise TemporalUnreachableError(str(error)) from None
    except RuntimeError as error:
        # What a lazy client raises while it has never been connected.
        if "client connect" not in str(error):
            raise
        raise TemporalUnreachableError("Temporal is not reachable") from None
