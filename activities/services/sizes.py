"""The size to ask one configured service for."""

from __future__ import annotations

from activities.services.base import ServiceError
from contracts.errors import FailureClass, make_failure
from contracts.requests import ImageRequest
from contracts.sizing import Size, size_of
from runtime.service_settings import ServiceSettings


def asked_size(request: ImageRequest, service: str, settings: ServiceSettings) -> Size:
    """Width and height in pixels; raises `ServiceError` InvalidRequest for a bad ratio."""
    try:
        return size_of(request, settings.default_width, settings.default_height)
    except ValueError as error:
        raise ServiceError(make_failure(FailureClass.INVALID_REQUEST, str(error), service=service)) from None
