"""fal's queue: `POST /{model}`, then the URLs that the answer names.

The queue repeats by itself what a runner did not finish, and bills none of that: `x-fal-no-retry` is not sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import quote

import httpx
import structlog
from pydantic import JsonValue

from activities.services.answers import read_answer
from activities.services.base import Accepted, Call, Completed, Pending, ServiceError
from activities.services.client import Method, Outgoing
from activities.services.http_errors import Reply
from activities.services.jobs import JobService, over
from activities.services.loras import chosen_loras
from activities.services.refusals import Phase
from contracts.errors import FailureClass
from contracts.json_body import parse_json
from contracts.requests import ImageRequest, JobReference

log = structlog.get_logger(__name__)

_ACCEPTED = 202
_RETRYABLE = ("x-fal-retryable", "x-fal-needs-retry")
_UNNAMED = frozenset({FailureClass.PROTOCOL_ERROR, FailureClass.PROVIDER_INTERNAL})
_OWN = ("x-fal-error-type", *_RETRYABLE)
_NEVER_RAN = frozenset({"runner_connection_refused", "runner_scheduling_failure", "startup_timeout"})
"""Ends of a job that no runner has ever begun with: nothing was made, nothing is paid."""


class FalService(JobService):
    """An account at fal."""

    # The second is fal's other domain, which its own client turns to where the first cannot be reached.
    public_hosts: ClassVar[tuple[str, ...]] = ("fal.run", "*.fal.run", "falrun.com", "*.falrun.com")
    delivery_hosts: ClassVar[tuple[str, ...]] = ("fal.media", "*.fal.media")
    scheme: ClassVar[str] = "Key"
    cancel_method: ClassVar[Method] = "PUT"
    model_form: ClassVar[re.Pattern[str]] = re.compile(r"[\w.-]+(/[\w.-]+)+", re.ASCII)
    names: ClassVar[Mapping[str, str]] = {
        "negative_prompt": "",
        "aspect_ratio": "",
        "steps": "num_inference_steps",
        "cfg_scale": "guidance_scale",
    }
    passed: ClassVar[frozenset[str]] = frozenset(
        {"num_images", "output_format", "acceleration", "enable_prompt_expansion", "raw", "style"}
    )

    def creation(self, call: Call) -> Outgoing:
        """The model's input; the webhook's address stands in the URL."""
        url = f"{self.settings.base_url}/{self._model(call.request)}"
        if call.webhook_url:
            url += f"?fal_webhook={quote(call.webhook_url, safe='')}"
        content = self._client.json(self._named(self._input(call.request), call.request))
        return Outgoing(method="POST", url=url, phase=Phase.SUBMIT, content=content, headers=self._headers())

    def accepted(self, reply: Reply, content: Mapping[str, JsonValue]) -> Accepted:
        """The URLs as fal names them: they lack the end of the model's path, so they cannot be built."""
        cancel_url = content.get("cancel_url")
        return Accepted(
            JobReference(
                service=self.name,
                job_id=self._kept(reply, content, "request_id"),
                status_url=self._kept(reply, content, "status_url"),
                result_url=self._kept(reply, content, "response_url"),
                cancel_url=self._kept(reply, content, "cancel_url") if cancel_url else None,
            )
        )

    async def poll(self, job: JobReference, call: Call) -> Pending | Completed:
        """Look at the status, then at the result: COMPLETED only says that the job is over."""
        reply = await self._look(job.status_url, job, call)
        status = self._content(reply, Phase.POLL)
        match status.get("status"):
            case "IN_QUEUE" | "IN_PROGRESS":
                return Pending()
            case "COMPLETED":
                return await self._result(
                    job, call, reply, failed=bool(status.get("error") or status.get("error_type"))
                )
            case "CANCELLED" | "CANCELED":
                raise ServiceError(reply.failure(FailureClass.JOB_CANCELLED, "fal cancelled the job"))
            case other:
                message = f"fal names a status of the job that is not known: {str(other)[:80]!r}"
                raise ServiceError(reply.failure(FailureClass.PROTOCOL_ERROR, message))

    async def _result(self, job: JobReference, call: Call, status: Reply, *, failed: bool) -> Pending | Completed:
        reply = await self._client.ask(self._looking(job.result_url, job), call)
        if reply.status == _ACCEPTED:
            return Pending()
        if not httpx.codes.is_success(reply.status):
            error = self._client.refusal(reply, Phase.POLL)
            raise _ended(reply, error) if _is_models_own(reply) else error
        if failed:
            raise _ended(status, self._client.refusal(status, Phase.POLL))
        if units := reply.short(reply.headers.get("x-fal-billable-units")):
            log.info("service_usage", service=self.name, job=job.job_id, billable_units=units)
        return await self._completed(job, call, lambda: read_answer(reply, "images"))

    def _input(self, request: ImageRequest) -> dict[str, JsonValue]:
        loras: list[JsonValue] = [
            {"path": lora.path, "scale": lora.scale} for lora in chosen_loras(request, self.name, self.settings)
        ]
        return {
            "prompt": request.prompt,
            "negative_prompt": request.negative_prompt,
            **self._shape(request),
            "seed": request.seed,
            "steps": request.steps,
            "cfg_scale": request.cfg_scale,
            "loras": loras or None,
        }

    def _shape(self, request: ImageRequest) -> dict[str, JsonValue]:
        if request.aspect_ratio and not (request.width or request.height) and self._names()["aspect_ratio"]:
            return {"aspect_ratio": request.aspect_ratio}
        width, height = self._size(request)
        if {"width", "height"} & set(self.settings.fields):
            return {"width": width, "height": height}
        return {"image_size": {"width": width, "height": height}}

    def _headers(self) -> dict[str, str]:
        # Proxies for fal's clients read from it which of fal's hosts is meant.
        return {"x-fal-target-host": "queue.fal.run"} if self._urls.behind_proxy else {}


def _ended(reply: Reply, error: ServiceError) -> ServiceError:
    """What the error of a job that is over means: its answer stays the same, however often it is asked for."""
    failure = error.failure
    unnamed = {FailureClass.PROTOCOL_ERROR} if _may_be_repeated(reply) else _UNNAMED
    if failure.failure in unnamed:
        return ServiceError(reply.failure(FailureClass.GENERATION_FAILED, failure.message, failure.provider_code))
    never_ran = failure.provider_code in _NEVER_RAN and failure.failure is FailureClass.PROVIDER_OVERLOADED
    return over(ServiceError(failure.model_copy(update={"unpaid": True})) if never_ran else error)


def _is_models_own(reply: Reply) -> bool:
    content = parse_json(reply.body)
    shaped = isinstance(content, dict) and (isinstance(content.get("detail"), list) or "error_type" in content)
    return shaped or any(name in reply.headers for name in _OWN)


def _may_be_repeated(reply: Reply) -> bool:
    return any(reply.headers.get(name, "").lower() in {"true", "1"} for name in _RETRYABLE)
