"""Logs: one line of JSON per event (or text for people), with the ids of the work at hand and without secrets.

`configure_logging` is called by main() only: a module that the workflow sandbox imports must not configure anything.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger
from temporalio import activity, workflow

from runtime.redaction import redact
from runtime.settings import LoggingSettings
from runtime.tracing import log_ids

_EXCEPTION_LIMIT = 8000
_QUIET = ("httpx", "httpcore", "hpack", "asyncio", "odoorpc")

_WORKFLOW_FIELDS = ("request_id", "cause", "step", "job_id", "service", "signal")
"""What workflow code adds to its lines, which take the way of the standard library."""


def configure_logging(settings: LoggingSettings, *, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's events through one pipeline to `stream` (default: stderr)."""
    target = stream or sys.stderr
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    handler = logging.StreamHandler(target)
    handler.setFormatter(_formatter(_renderer(settings, target)))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.captureWarnings(capture=True)
    for name in _QUIET:
        # Their lines name URLs, which may carry tokens, or whole calls with their keys.
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    # The pipeline adds what these would otherwise append to the text of each message.
    activity.logger.activity_info_on_message = False
    workflow.logger.workflow_info_on_message = False
    structlog.configure(
        processors=[_silent_in_replay, *_described(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _renderer(settings: LoggingSettings, stream: TextIO) -> Processor:
    if settings.format == "json" or (settings.format == "auto" and not stream.isatty()):
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _formatter(renderer: Processor) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(allow=_WORKFLOW_FIELDS), *_described()],
        # Bounded last: a secret that the cut tears apart would not be recognised.
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _redacted,
            _bounded_exception,
            renderer,
        ],
    )


def _described() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _with_temporal_ids,
        _with_trace_ids,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]


def _silent_in_replay(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if workflow.in_workflow() and workflow.unsafe.is_replaying_history_events():
        raise structlog.DropEvent
    return event


def _with_temporal_ids(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if workflow.in_workflow():
        run = workflow.info()
        return {"workflow_id": run.workflow_id, "run_id": run.run_id, **event}
    if activity.in_activity():
        call = activity.info()
        ids = {"workflow_id": call.workflow_id, "run_id": call.workflow_run_id}
        return {**ids, "activity": call.activity_type, "attempt": call.attempt, **event}
    return event


def _with_trace_ids(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {**log_ids(), **event}


def _redacted(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {name: redact(value, name) for name, value in event.items()}


def _bounded_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    text = event.get("exception")
    if isinstance(text, str) and len(text) > _EXCEPTION_LIMIT:
        # The root cause of a chain comes first and the error that was raised last: both stay.
        half = _EXCEPTION_LIMIT // 2
        event["exception"] = f"{text[:half]}\n[... {len(text) - 2 * half} characters ...]\n{text[-half:]}"
    return event
