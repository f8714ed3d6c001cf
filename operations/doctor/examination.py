"""Running checks side by side: each has its own time, and none hides another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from temporalio.service import RPCError, RPCStatusCode

from operations.doctor.finding import Finding, fail
from runtime.codec import DecryptionError

_Patient = TypeVar("_Patient")
_MESSAGE_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Check(Generic[_Patient]):
    """Looks at one subject of what it is given: the settings, or a namespace."""

    name: str
    look: Callable[[_Patient], Awaitable[Iterable[Finding]]]
    seconds: float = 20.0
    """Time for all of it."""


async def examine(checks: Sequence[Check[_Patient]], patient: _Patient) -> list[Finding]:
    """The findings of all checks, in the order of the checks."""
    found = await asyncio.gather(*(_examined(check, patient) for check in checks))
    return [finding for findings in found for finding in findings]


async def _examined(check: Check[_Patient], patient: _Patient) -> list[Finding]:
    try:
        async with asyncio.timeout(check.seconds):
            return list(await check.look(patient))
    except TimeoutError:
        fact = f"no answer within {check.seconds:g} s"
        return [fail(check.name, fact, "see whether what it asks is overloaded or cut off by a firewall, then repeat")]
    except RPCError as error:
        return [_refused(check.name, error)]
    except DecryptionError as error:
        return [fail(check.name, _line(str(error)), "add a reference to that key behind the others in encryption.keys")]
    except Exception as error:  # noqa: BLE001 - whatever breaks one check must not hide what the others found
        return [fail(check.name, f"the check broke: {type(error).__name__}: {_line(str(error))}", "report it")]


def _refused(name: str, error: RPCError) -> Finding:
    if error.status in (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED):
        remedy = "see what the identity (TEMPORAL_API_KEY, TLS certificate) may do here"
    else:
        remedy = "see Temporal's own log: its database may be full, locked or away"
    return fail(name, f"Temporal refused: {_line(error.message)}", remedy)


def _line(text: str) -> str:
    return " ".join(text.split())[:_MESSAGE_LIMIT]
