"""What attempts count for the metrics: those that failed and are repeated. Labels are bounded (docs/metrics.md)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from contracts import metrics
from contracts.failure_rules import RULES
from contracts.requests import DeliverInput, GenerateInput, JobInput, ReadRecordInput
from contracts.spend import SpendEntry, SpendState
from contracts.taxonomy import FailureClass, Retry
from runtime.settings import Settings

_OF_A_REQUEST = (DeliverInput, GenerateInput, ReadRecordInput)
_CAUSES = frozenset(FailureClass)
_CRASHED = FailureClass.INTERNAL
_MILLIONTHS = 1_000_000


class Measuring(ClientInterceptor, Interceptor):
    """Counts around every attempt of a request's activities."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """Part of the SDK's interface."""
        return _Measured(next, self._settings)


def measured(client: Client, settings: Settings) -> Client:
    """The client with which a worker counts its attempts."""
    config = client.config()
    config["interceptors"] = [*config["interceptors"], Measuring(settings)]
    return Client(**config)


class _Measured(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, settings: Settings) -> None:
        super().__init__(following)
        self._settings = settings

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002, ANN401 - the SDK's signature
        try:
            return await super().execute_activity(input)
        except ApplicationError as error:
            if not error.non_retryable or _is_tried_again(input.args, error.type):
                self._count(input.args, error.type)
            raise
        except Exception:
            self._count(input.args, _CRASHED)
            raise

    def _count(self, args: Sequence[Any], cause: str | None) -> None:
        labels = _labels(args, self._settings)
        # Looking again for what an earlier attempt may still bring is no failure.
        if labels is None or cause not in _CAUSES:
            return
        retries = activity.metric_meter().create_counter(metrics.RETRIES.name, metrics.RETRIES.meaning)
        retries.add(1, {**labels, "cause": cause})


def _is_tried_again(args: Sequence[Any], cause: str | None) -> bool:
    """Whether the workflow repeats what this attempt, a quick one, does not."""
    quick = bool(args) and isinstance(args[0], DeliverInput) and args[0].quick
    return quick and cause in _CAUSES and RULES[FailureClass(cause)].retry is not Retry.NEVER


def _labels(args: Sequence[Any], settings: Settings) -> dict[str, str] | None:
    call = args[0].call if args and isinstance(args[0], JobInput) else next(iter(args), None)
    if not isinstance(call, _OF_A_REQUEST):
        return None
    service = getattr(call, "service", None)
    return metrics.request_labels(
        call.reference.dialect,
        metrics.known(service, settings.services) if service else None,
        metrics.known(call.odoo or "", settings.odoos),
    )


def count_call(dialect: str, entry: SpendEntry) -> None:
    """Count how far a call to an image service came, and what it cost. Inside an activity."""
    meter = activity.metric_meter()
    labels = metrics.request_labels(dialect, entry.service, entry.odoo or metrics.NONE)
    calls = meter.create_counter(metrics.IMAGE_CALLS.name, metrics.IMAGE_CALLS.meaning)
    calls.add(1, {**labels, "state": entry.state})
    if entry.state is SpendState.STORED and entry.cost is not None:
        spend = meter.create_counter(metrics.SPEND.name, metrics.SPEND.meaning)
        spend.add(_millionths(entry.cost), {**labels, "currency": entry.currency or metrics.NONE})


def _millionths(amount: Decimal) -> int:
    return max(0, int(amount * _MILLIONTHS))
