"""From a parsed webhook body to the start of its workflow. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from contracts import search_attributes
from contracts.capabilities import kinds_meant
from contracts.dialects import DIALECTS
from contracts.identity import content_digest, store_key, workflow_id
from contracts.identity import traceparent as trace_or_derived
from contracts.names import MEMO_DIGEST, MEMO_REQUEST
from contracts.policies import Policies
from contracts.requests import ImageGenerationInput, Intake, Stage
from contracts.search_attributes import keyword
from runtime.settings import RouteSettings, Settings
from starter.intake import capacity

CANONICAL_LIMIT = 256 * 1024
"""Bytes that the workflow's input may have (contract 3.8)."""
UNLIMITED = 2**62
"""The inline limit where no image URL can be signed."""
_SUMMARY_LIMIT = 120


@dataclass(frozen=True, slots=True)
class CallerHints:
    """What a caller's headers say beside the body; none of it changes which request it is."""

    traceparent: str | None = None
    priority: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> CallerHints:
        """The hints of a request's headers."""
        return cls(headers.get("traceparent"), headers.get(capacity.PRIORITY_HEADER))


NO_HINTS = CallerHints()


@dataclass(frozen=True, slots=True)
class Submission:
    """Everything that starting one request takes."""

    workflow_id: str
    digest: str
    """Of the canonical content: the same id with another digest is another request."""
    input: ImageGenerationInput
    database: str
    """The Odoo database, as operators see it."""

    @property
    def search_attributes(self) -> TypedSearchAttributes:
        """What operators find the request by from its first moment on."""
        request = self.input.request
        values = (
            (search_attributes.REQUEST_ID, self.input.reference.request_id),
            (search_attributes.ROUTE, self.input.route),
            (search_attributes.ODOO_DATABASE, self.database),
            (search_attributes.SERVICE, self.input.service),
            (search_attributes.STAGE, Stage.GENERATING.value),
            (search_attributes.ODOO_USER, request.odoo_user if request else None),
            (search_attributes.CAMPAIGN, request.campaign_id if request else None),
        )
        return TypedSearchAttributes([SearchAttributePair(key, keyword(value)) for key, value in values if value])

    @property
    def memo(self) -> dict[str, JsonValue]:
        """What status and duplicate checks read without a worker."""
        summary: dict[str, JsonValue] = {
            "request_id": keyword(self.input.reference.request_id),
            "route": self.input.route,
            "odoo_database": self.database,
            "service": self.input.service,
            "dialect": self.input.reference.dialect,
        }
        return {MEMO_DIGEST: self.digest, MEMO_REQUEST: summary}

    @property
    def summary(self) -> str:
        """One line for the Web UI's list."""
        line = f"{self.input.reference.dialect} {self.input.reference.request_id} for {self.database}"
        return _printable(line)[:_SUMMARY_LIMIT]

    @property
    def details(self) -> str:
        """Markdown for the Web UI: what this is, who asked, where the outcome goes. No prompt, no secret."""
        request = self.input.request
        asked = f"user {request.odoo_user}" if request and request.odoo_user else "a user without a number"
        lines = (
            f"**Image request** `{self._shown(self.input.reference.request_id)}`",
            "",
            f"- asked by Odoo database `{self._shown(self.database)}`, {self._shown(asked)}",
            f"- came in on route `{self.input.route}`, dialect `{self.input.reference.dialect}`",
            f"- first image service: `{self.input.service}`",
            f"- outcome goes to Odoo `{self.input.odoo}`, {self._target()}",
            f"- waits up to {self.input.policies.park_s / 86_400:g} days for a decision if it becomes a dead letter",
        )
        return "\n".join(lines)

    def _target(self) -> str:
        if self.input.record is not None:
            return f"record `{self._shown(f'{self.input.record.model} {self.input.record.record_id}')}`"
        return "the callback URL of the request" if self.input.callback_url else "the route's callback path"

    @staticmethod
    def _shown(text: str) -> str:
        return _printable(text)[:_SUMMARY_LIMIT].replace("`", "'")


def submission(settings: Settings, route_name: str, intake: Intake, hints: CallerHints = NO_HINTS) -> Submission:
    """What starts the workflow of `intake`, which came in on the route of that name."""
    digest = content_digest(intake.model_dump(mode="json"))
    workflow_input = start_input(settings, route_name, intake, hints, digest)
    database = settings.odoos[workflow_input.odoo].database
    return Submission(workflow_id(route_name, intake.reference.request_id), digest, workflow_input, database)


def start_input(
    settings: Settings, route_name: str, intake: Intake, hints: CallerHints, digest: str
) -> ImageGenerationInput:
    """The workflow's input: the request and a snapshot of its route's and its service's policies."""
    route = settings.routes[route_name]
    workflow = workflow_id(route_name, intake.reference.request_id)
    service = chosen_service(settings, route, intake.request.service_hint if intake.request else None)
    return ImageGenerationInput(
        reference=intake.reference,
        route=route_name,
        odoo=route.odoo,
        service=service,
        request=intake.request,
        problem="; ".join(intake.problems) or None,
        callback_url=intake.callback_url,
        store_key=store_key(workflow, digest),
        envelope=route.callback.envelope or DIALECTS[route.dialect].envelope,
        services=tuple(sorted(settings.services)),
        policies=policies(settings, route, service),
        traceparent=trace_or_derived(hints.traceparent, workflow),
        record=intake.record,
        failover=capacity.stand_ins(settings, route, service, intake.request),
        leased=capacity.leased(settings),
        tenant=capacity.tenant(route, intake.request),
        priority=capacity.priority(route, hints.priority),
    )


def chosen_service(settings: Settings, route: RouteSettings, hint: str | None) -> str:
    """The configured service that a request's hint means on this route; the route's first where it means none.

    In this order: the route's own name for it, a service's name, the route's first service of a kind that the hint
    stands for (COMFY_UI, STABILITY_AI, FLUX).
    """
    wanted = (hint or "").casefold()
    by_alias = {alias.casefold(): service for alias, service in route.service_names.items()}
    by_name = {service.casefold(): service for service in route.services}
    kinds = kinds_meant(hint or "")
    by_kind = next((service for service in route.services if settings.services[service].kind in kinds), None)
    return by_alias.get(wanted) or by_name.get(wanted) or by_kind or route.services[0]


def policies(settings: Settings, route: RouteSettings, service: str) -> Policies:
    """The snapshot of the policies of a route and a service."""
    callback = route.callback
    return Policies(
        generate=settings.services[service].retry.policy(),
        deliver=callback.retry.policy(),
        park_s=route.park_s,
        images=callback.images,
        inline_limit=callback.inline_limit if settings.store.signing_key else UNLIMITED,
        url_ttl_s=callback.url_ttl_s,
        quick_callback=settings.odoos[route.odoo].rate_per_second is None,
        failover_attempts=route.failover_attempts,
        reseeds=settings.services[service].reseeds,
    )


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
