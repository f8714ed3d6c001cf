"""The connection to Temporal: address, namespace and keys are temporalio.envconfig's, the converter is ours."""

from __future__ import annotations

import asyncio
import logging

from temporalio.client import Client
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.service import RetryConfig

from runtime.codec import KeyRing
from runtime.codec_conversion import data_converter
from runtime.encryption_settings import EncryptionSettings
from runtime.metrics_endpoint import prometheus
from runtime.tracing import is_on
from runtime.tracing_temporal import TracingInterceptor

DATA_CONVERTER = data_converter(KeyRing())
"""That of an installation without encryption; clients, workers and replay alike use their client's."""

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
    *,
    encryption: EncryptionSettings,
    wait_s: float = 10.0,
    lazy: bool = False,
    rpc_budget_s: float | None = None,
    metrics_bind: str | None = None,
) -> Client:
    """A client; waits up to `wait_s` seconds for the server unless `lazy`.

    `rpc_budget_s` bounds what one call may spend on retries of its own: the SDK's `rpc_timeout` is per attempt.
    Raises `TemporalUnreachableError`, and `SecretMissingError` where a key of `encryption` cannot be used.
    """
    converter = data_converter(KeyRing.of(encryption))
    options = connection()
    options["target_host"] = options.get("target_host") or DEFAULT_ADDRESS
    retry = RetryConfig(max_elapsed_time_millis=int(rpc_budget_s * 1000)) if rpc_budget_s else None
    end = asyncio.get_running_loop().time() + wait_s
    while True:
        try:
            return await Client.connect(
                **options,
                data_converter=converter,
                lazy=lazy,
                retry_config=retry,
                runtime=_runtime(metrics_bind),
                interceptors=[TracingInterceptor()] if is_on() else [],
            )
        except RuntimeError as error:
            if asyncio.get_running_loop().time() >= end:
                raise TemporalUnreachableError(_unreachable(options["target_host"], error)) from None
            await asyncio.sleep(0.25)


_RUNTIMES: dict[str | None, Runtime] = {}


def _runtime(metrics_bind: str | None) -> Runtime:
    """One runtime per metrics address; its own log lines take the way of all others, never standard output."""
    if metrics_bind not in _RUNTIMES:
        forwarding = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
        _RUNTIMES[metrics_bind] = Runtime(
            telemetry=TelemetryConfig(
                logging=LoggingConfig(
                    filter=TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarding
                ),
                metrics=prometheus(metrics_bind) if metrics_bind else None,
            )
        )
    return _RUNTIMES[metrics_bind]


def _unreachable(target: str, error: Exception) -> str:
    # The core's text is its internal structure; these words in it are what a person can use.
    known = ("Connection refused", "dns error", "timed out", "certificate", "Unauthenticated", "PermissionDenied")
    reason = next((words for words in known if words.lower() in str(error).lower()), "no answer")
    return f"Temporal is not reachable at {target} ({reason}): start it or set TEMPORAL_ADDRESS"
