"""The image-service accounts of this worker by name, and the call that each of them gets for a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from activities.attempts import AttemptFailedError
from activities.services.base import Call, ImageService
from activities.services.fitting import fitted
from contracts.capabilities import CAPABILITIES
from contracts.errors import FailureClass, make_failure
from contracts.identity import header_value
from contracts.requests import Cost, GenerateInput
from runtime.ring_urls import Ring, ring_url
from runtime.secrets import SecretMissingError, SecretRef, resolve
from runtime.settings import ServiceSettings, Settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Doorbell:
    """Where services may ring when a job is finished."""

    base_url: str
    signing_key: SecretRef | None

    @classmethod
    def of(cls, settings: Settings) -> Doorbell:
        """The starter's."""
        return cls(settings.starter.public_base_url, settings.store.signs_with)

    def url(self, call: GenerateInput) -> str | None:
        """The address for that call's service, or None: a doorbell is no reason not to call."""
        if self.signing_key is None or call.workflow_id is None:
            return None
        try:
            key = resolve(self.signing_key)
        except SecretMissingError as error:
            log.warning("service_cannot_ring", service=call.service, reason=str(error))
            return None
        return ring_url(self.base_url, call.service, Ring(call.workflow_id, call.generation), key)


class ServiceDirectory:
    """Looks services up at each attempt, so that a redrive sees corrected configuration."""

    def __init__(
        self, services: Mapping[str, ImageService], settings: Mapping[str, ServiceSettings], doorbell: Doorbell
    ) -> None:
        self._services = services
        self._settings = settings
        self._doorbell = doorbell

    def service(self, name: str) -> ImageService:
        """The account; raises `AttemptFailedError` where it is not configured."""
        self.settings(name)
        return self._services[name]

    def settings(self, name: str) -> ServiceSettings:
        """Its settings; raises `AttemptFailedError` where there are none."""
        if name not in self._settings:
            message = f"image service {name!r} is not configured here: add [services.{name}] or name another service"
            raise AttemptFailedError(make_failure(FailureClass.MODEL_NOT_FOUND, message, service=name))
        return self._settings[name]

    def may_repeat(self, service: str, calls: int) -> bool:
        """Whether the service's policy allows another call after that many of which one may have been paid."""
        policy = self.settings(service).unknown_policy
        return policy == "always" or (policy == "retry_once" and calls < 2)  # noqa: PLR2004 - once more

    def takes_jobs(self, name: str) -> bool:
        """Whether the service answers a submit at once, with a job."""
        return name in self._settings and CAPABILITIES[self._settings[name].kind].jobs

    def submission(self, call: GenerateInput) -> tuple[Call, tuple[str, ...]]:
        """The call as its service can honour it, and what was changed for that; raises `ServiceError`."""
        return fitted(self.ringing(call), call.service, self.settings(call.service))

    def seed_sent(self, call: GenerateInput) -> int | None:
        """The seed that the service was told; None where it takes none, or was to choose one itself."""
        try:
            fit, _ = fitted(service_call(call), call.service, self.settings(call.service))
        except AttemptFailedError:
            # The settings have changed since.
            return None
        seed = fit.request.seed
        return seed if seed is not None and seed >= 0 else None

    def ringing(self, call: GenerateInput) -> Call:
        """The call with the address to ring at, by which a service may also know it again."""
        url = self._doorbell.url(call) if self.settings(call.service).webhook else None
        return replace(service_call(call), webhook_url=url)

    def cost(self, service: str, said: Cost | None, images: int) -> Cost | None:
        """What that many images cost: as the service said, else by the configured price, else unknown."""
        settings = self.settings(service)
        if said is not None or settings.price is None:
            return said
        return Cost(amount=settings.price * images, currency=settings.currency, reported=False)


def service_call(call: GenerateInput) -> Call:
    """The call about a request, as every service sees it."""
    return Call(
        request=call.request,
        correlation_id=header_value(call.reference.request_id),
        traceparent=call.traceparent,
        timeout_s=call.policy.timeout_s,
        key=f"{call.store_key}/{call.generation}",
    )
