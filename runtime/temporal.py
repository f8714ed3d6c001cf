"""The connection to Temporal: address, namespace and keys are temporalio.envconfig's, the converter is ours."""

from __future__ import annotations

import asyncio

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import RetryConfig

DATA_CONVERTER = pydantic_data_converter
"""Used by clients, workers and replay alike."""

DEFAULT_ADDRESS = "localhost:7233"


class TemporalUnreachableError(Exception):
    """Temporal did not answer. The message says which address and what to do."""


def connection() -> ClientConnectConfig:
    """What envconfig says; raises `TemporalUnreachableError` where its file cannot be used."""
    try:
        return ClientConfig.load_client_connect_config()
    except Exception as error:  # noqa: BLE001 - envconfig documents no error types
        message = f"the Temporal client configuration cannot be used: {error}"
        raise TemporalUnreachableError(message) from None


def address() -> str:
    """The address that `connect` uses."""
    return connection().get("target_host") or DEFAULT_ADDRESS


def namespace() -> str:
    """The namespace that `connect` uses."""
    return connection().get("namespace") or "default"


async def connect(
    *, wait_s: float = 10.0, lazy: bool = False, rpc_budget_s: float | None = None, metrics_bind: str | None = None
) -> Client:
    """A client; waits up to `wait_s` seconds for the server unless `lazy`.

    `rpc_budget_s` bounds what one call may spend on retries of its own: the SDK's `rpc_timeout` is per attempt.
    Raises `TemporalUnreachableError`.
    """
    options = connection()
    options["target_host"] = options.get("target_host") or DEFAULT_ADDRESS
    retry = RetryConfig(max_elapsed_time_millis=int(rpc_budget_s * 1000)) if rpc_budget_s else None
    end = asyncio.get_running_loop().time() + wait_s
    while True:
        try:
            return await Client.connect(
                **options,
                data_converter=DATA_CONVERTER,
                lazy=lazy,
                retry_config=retry,
                runtime=_metrics_runtime(metrics_bind),
            )
        except RuntimeError as error:
            if asyncio.get_running_loop().time() >= end:
                raise TemporalUnreachableError(_unreachable(options["target_host"], error)) from None
            await asyncio.sleep(0.25)


_RUNTIMES: dict[str, Runtime] = {}


def _metrics_runtime(bind: str | None) -> Runtime | None:
    if bind is None:
        return None
    if bind not in _RUNTIMES:
        _RUNTIMES[bind] = Runtime(telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address=bind)))
    return _RUNTIMES[bind]


def _unreachable(target: str, error: Exception) -> str:
    reason = str(error).splitlines()[0][:160]
    return f"Temporal is not reachable at {target} ({reason}): start it or set TEMPORAL_ADDRESS"
