"""The LoRAs that a request asks one configured service for."""

from __future__ import annotations

from activities.services.base import ServiceError
from contracts.errors import FailureClass, make_failure
from contracts.loras import Lora, base_model, requested_loras
from contracts.requests import ImageRequest
from runtime.service_settings import ServiceSettings
from runtime.service_traits import known_loras, meant_model


def chosen_loras(request: ImageRequest, service: str, settings: ServiceSettings) -> tuple[Lora, ...]:
    """The LoRAs with their paths and scales; raises `ServiceError` InvalidRequest for one that may not be used."""
    try:
        return requested_loras(request, known_loras(settings), any_path=settings.any_lora)
    except ValueError as error:
        raise ServiceError(make_failure(FailureClass.INVALID_REQUEST, str(error), service=service)) from None


def asked_model(request: ImageRequest, settings: ServiceSettings) -> str | None:
    """The model to ask for: the one that the request means unless it names a LoRA, else the service's."""
    named = base_model(request, known_loras(settings))
    return (meant_model(named, settings) or named) if named else settings.model
