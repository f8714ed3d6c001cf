"""Black Forest Labs: `POST /v1/{model}`, then the polling URL that the answer names, which is on another host.

No negative prompt, no LoRA and no cancellation exist in this protocol.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import ClassVar

from pydantic import JsonValue

from activities.services.answers import Answer, read_image
from activities.services.base import Accepted, Call, Completed, Pending, ServiceError
from activities.services.client import Outgoing
from activities.services.http_errors import Reply
from activities.services.jobs import JobService
from activities.services.refusals import Phase, names_moderation
from contracts.errors import Failure, FailureClass, make_failure
from contracts.requests import Cost, ImageRequest, JobReference
from runtime.secrets import SecretMissingError, resolve

CREDITS = "credits"
"""The unit of BFL's prices."""

_SECRET = "webhook_secret"  # noqa: S105 - the name of a field
_REFUSED = MappingProxyType({"Request Moderated": False, "Content Moderated": True})
"""Whether the finished image was refused, by status; else the prompt was."""


class BflService(JobService):
    """An account at Black Forest Labs."""

    public_hosts: ClassVar[tuple[str, ...]] = ("*.bfl.ai",)
    delivery_hosts: ClassVar[tuple[str, ...]] = ("*.bfl.ai",)
    statuses: ClassVar[Mapping[int, FailureClass]] = MappingProxyType(
        {
            403: FailureClass.AUTHENTICATION_FAILED,
            # Not a rate: so many tasks may be unfinished at a time.
            429: FailureClass.CONCURRENCY_LIMITED,
        }
    )
    model_form: ClassVar[re.Pattern[str]] = re.compile(r"[\w.-]+", re.ASCII)
    names: ClassVar[Mapping[str, str]] = {"steps": "", "cfg_scale": "", "aspect_ratio": ""}
    passed: ClassVar[frozenset[str]] = frozenset({"output_format", "prompt_upsampling", "raw"})

    def creation(self, call: Call) -> Outgoing:
        """The model's input, with the webhook and the secret that it is to be signed with."""
        base = self.settings.base_url
        model = self._model(call.request)
        ring = self._ring(call)
        body = {**self._named(self._input(call.request), call.request), **ring}
        return Outgoing(
            method="POST",
            url=f"{base}/{model}" if base.endswith("/v1") else f"{base}/v1/{model}",
            phase=Phase.SUBMIT,
            content=self._client.json(body),
            secrets=(ring[_SECRET],) if ring else (),
        )

    def accepted(self, reply: Reply, content: Mapping[str, JsonValue]) -> Accepted:
        """The task, and what it costs."""
        job = JobReference(
            service=self.name,
            job_id=self._kept(reply, content, "id"),
            status_url=self._kept(reply, content, "polling_url"),
        )
        return Accepted(job, _cost(content.get("cost")))

    async def poll(self, job: JobReference, call: Call) -> Pending | Completed:
        """Look at the task."""
        reply = await self._look(job.status_url, job, call)
        task = self._content(reply, Phase.POLL)
        match task.get("status"):
            case "Pending":
                return Pending()
            case "Ready":
                return await self._completed(job, call, lambda: _read(reply, task))
            case "Request Moderated" | "Content Moderated" as status:
                refused = _REFUSED[status]
                message = f"{status}{_details(task)}"
                raise ServiceError(
                    reply.failure(FailureClass.CONTENT_REJECTED, message, status, output_refused=refused)
                )
            case "Task not found":
                raise ServiceError(reply.failure(FailureClass.JOB_LOST, f"task {job.job_id} is not found"))
            case "Error":
                raise ServiceError(_failed(reply, task))
            case other:
                message = f"the task has a status that is not known: {str(other)[:80]!r}"
                raise ServiceError(reply.failure(FailureClass.PROTOCOL_ERROR, message))

    def _ring(self, call: Call) -> dict[str, str]:
        """Nothing without a secret: an unsigned ring would not be believed."""
        if call.webhook_url is None or self.settings.webhook_secret is None:
            return {}
        try:
            return {"webhook_url": call.webhook_url, _SECRET: resolve(self.settings.webhook_secret)}
        except SecretMissingError as error:
            failure = make_failure(FailureClass.AUTHENTICATION_FAILED, str(error), service=self.name)
            raise ServiceError(failure) from None

    def _input(self, request: ImageRequest) -> dict[str, JsonValue]:
        return {
            "prompt": request.prompt,
            **self._shape(request),
            "seed": request.seed,
            "steps": request.steps,
            "cfg_scale": request.cfg_scale,
        }

    def _shape(self, request: ImageRequest) -> dict[str, JsonValue]:
        if self._names()["aspect_ratio"]:
            return {"aspect_ratio": request.aspect_ratio, "width": request.width, "height": request.height}
        width, height = self._size(request)
        return {"width": width, "height": height, "aspect_ratio": None}


def _read(reply: Reply, task: Mapping[str, JsonValue]) -> Answer:
    result = task.get("result")
    if not isinstance(result, dict) or not result.get("sample"):
        raise ServiceError(reply.failure(FailureClass.PROTOCOL_ERROR, "the task is ready without an image"))
    seed = result.get("seed")
    return Answer((read_image(reply, result["sample"], seed if isinstance(seed, int) else None),))


def _failed(reply: Reply, task: Mapping[str, JsonValue]) -> Failure:
    details = _details(task)
    refused = names_moderation(details)
    found = FailureClass.CONTENT_REJECTED if refused else FailureClass.GENERATION_FAILED
    return reply.failure(found, f"the task failed{details}")


def _details(task: Mapping[str, JsonValue]) -> str:
    told = [task.get("details"), task.get("error"), task.get("message")]
    return "".join(f": {part}" for part in told if part)


def _cost(value: JsonValue) -> Cost | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    return Cost(amount=Decimal(str(value)), currency=CREDITS)
