"""The request as the service that is called can honour it: the one place where that is decided before a submit."""

from __future__ import annotations

from dataclasses import replace

from activities.services.base import Call, ServiceError
from contracts.adaptation import UnsupportedError, adapted
from contracts.errors import FailureClass, make_failure
from runtime.service_settings import ServiceSettings
from runtime.service_traits import service_traits


def fitted(call: Call, service: str, settings: ServiceSettings) -> tuple[Call, tuple[str, ...]]:
    """The call with what the service honours, and one sentence for each thing that was dropped or emulated.

    Raises `ServiceError` InvalidRequest where `on_unsupported` is error, or where a parameter is none at all.
    """
    try:
        fit = adapted(call.request, service_traits(service, settings))
    except UnsupportedError as error:
        raise ServiceError(make_failure(FailureClass.INVALID_REQUEST, str(error), service=service)) from None
    return replace(call, request=fit.request), fit.warnings
