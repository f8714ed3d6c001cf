"""What a test logs itself, apart from what workers and servers of other tests log in this process meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog
from structlog.testing import capture_logs
from structlog.typing import EventDict, WrappedLogger

_OURS: ContextVar[bool] = ContextVar("own_logs", default=False)


@contextmanager
def own_logs() -> Iterator[list[EventDict]]:
    """Capture what is logged here and in tasks that are started here."""
    ours = _OURS.set(True)
    try:
        with capture_logs([_ours_only]) as logs:
            yield logs
    finally:
        _OURS.reset(ours)


def _ours_only(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    if not _OURS.get():
        raise structlog.DropEvent
    return line
