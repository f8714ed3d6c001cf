"""Replicate: `POST /v1/models/{owner}/{name}/predictions`, `/v1/predictions` or `/v1/deployments/...`, then polling."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from urllib.parse import quote

from pydantic import JsonValue

from activities.services.answers import Answer, read_image
from activities.services.base import Accepted, Call, Completed, Pending, ServiceError
from activities.services.client import Outgoing
from activities.services.http_errors import Reply
from activities.services.jobs import JobService
from activities.services.loras import chosen_loras
from activities.services.refusals import Phase
from contracts.errors import Failure, FailureClass, make_failure
from contracts.loras import Lora
from contracts.requests import ImageRequest, JobReference

PAGES = 10
"""Pages of 100 predictions that a search for a lost one reads."""
LOOK_BACK = timedelta(hours=24)
"""How old a prediction may be that a search still looks for."""

_MODERATED = re.compile(
    r"nsfw|\bE005\b|flagged as sensitive|content (policy|moderation)|safety (checker|filter|system)|moderat(ed|ion)",
    re.IGNORECASE,
)
"""How models say that content was refused: only text tells."""
_OUTPUT_REFUSED = re.compile(r"nsfw (content|images?)\b", re.IGNORECASE)
"""The words of the checker that looks at finished images."""


class ReplicateService(JobService):
    """An account at Replicate."""

    public_hosts: ClassVar[tuple[str, ...]] = ("api.replicate.com",)
    delivery_hosts: ClassVar[tuple[str, ...]] = ("replicate.delivery", "*.replicate.delivery")
    model_form: ClassVar[re.Pattern[str]] = re.compile(
        r"(deployments/)?[\w.-]+/[\w.-]+|[\w.-]+/[\w.-]+:[\w.-]+|[0-9a-f]{64}", re.ASCII
    )
    names: ClassVar[Mapping[str, str]] = {
        "negative_prompt": "",
        "width": "",
        "height": "",
        "steps": "num_inference_steps",
        "cfg_scale": "guidance",
        "lora": "lora_weights",
        "loras": "",
        "lora_scales": "",
    }
    passed: ClassVar[frozenset[str]] = frozenset(
        {
            "num_outputs",
            "output_format",
            "output_quality",
            "go_fast",
            "megapixels",
            "prompt_upsampling",
            "raw",
            "style",
        }
    )

    def creation(self, call: Call) -> Outgoing:
        """The prediction; its webhook's address is also what `find` recognizes it by."""
        path, version = _endpoint(self._model(call.request))
        ring: dict[str, JsonValue] = {}
        if call.webhook_url:
            ring = {"webhook": call.webhook_url, "webhook_events_filter": ["completed"]}
        body = {**version, "input": self._named(self._input(call.request), call.request), **ring}
        return Outgoing(method="POST", url=self._url(path), phase=Phase.SUBMIT, content=self._client.json(body))

    def accepted(self, reply: Reply, content: Mapping[str, JsonValue]) -> Accepted:
        """The prediction's own URLs."""
        urls = content.get("urls")
        named = urls if isinstance(urls, dict) else {}
        return Accepted(
            JobReference(
                service=self.name,
                job_id=self._kept(reply, content, "id"),
                status_url=self._kept(reply, named, "get"),
                cancel_url=self._kept(reply, named, "cancel") if named.get("cancel") else None,
            )
        )

    async def poll(self, job: JobReference, call: Call) -> Pending | Completed:
        """Look at the prediction. A deadline that passed before the start is `aborted`, and free."""
        reply = await self._look(job.status_url, job, call)
        prediction = self._content(reply, Phase.POLL)
        match prediction.get("status"):
            case "starting" | "processing":
                return Pending()
            case "succeeded":
                return await self._completed(job, call, lambda: _read(reply, prediction))
            case "canceled" | "aborted" as status:
                raise ServiceError(reply.failure(FailureClass.JOB_CANCELLED, f"the prediction is {status}"))
            case "failed":
                raise ServiceError(_failed(reply, prediction))
            case other:
                message = f"the prediction has a status that is not known: {str(other)[:80]!r}"
                raise ServiceError(reply.failure(FailureClass.PROTOCOL_ERROR, message))

    async def find(self, call: Call) -> Accepted | None:
        """The newest prediction that was asked to ring at this call's own address; None without such an address."""
        if call.webhook_url is None:
            return None
        since = datetime.fromtimestamp(time.time(), UTC) - LOOK_BACK
        url: str | None = self._url(f"predictions?created_after={quote(since.isoformat(timespec='seconds'))}")
        for _ in range(PAGES):
            if url is None:
                break
            reply = await self._client.get(url, call)
            page = self._content(reply, Phase.POLL)
            found = next((entry for entry in _entries(page) if entry.get("webhook") == call.webhook_url), None)
            if found is not None:
                return self.accepted(reply, found)
            following = page.get("next")
            url = self._urls.checked(following) if isinstance(following, str) and following else None
        return None

    def _url(self, path: str) -> str:
        base = self.settings.base_url
        return f"{base}/{path}" if base.endswith("/v1") else f"{base}/v1/{path}"

    def _input(self, request: ImageRequest) -> dict[str, JsonValue]:
        return {
            "prompt": request.prompt,
            "negative_prompt": request.negative_prompt,
            **self._shape(request),
            "seed": request.seed,
            "steps": request.steps,
            "cfg_scale": request.cfg_scale,
            **self._loras(request),
        }

    def _shape(self, request: ImageRequest) -> dict[str, JsonValue]:
        names = self._names()
        sized = bool(names["width"] and names["height"])
        if not sized or (request.aspect_ratio and not (request.width or request.height)):
            return {"width": None, "height": None, "aspect_ratio": request.aspect_ratio}
        width, height = self._size(request)
        # Flux looks at width and height only under this ratio; a model without ratios has an empty name for it.
        return {"width": width, "height": height, "aspect_ratio": "custom"}

    def _loras(self, request: ImageRequest) -> dict[str, JsonValue]:
        loras = chosen_loras(request, self.name, self.settings)
        if self._names()["loras"]:
            paths: list[JsonValue] = [lora.path for lora in loras]
            scales: list[JsonValue] = [lora.scale for lora in loras]
            return {"loras": paths or None, "lora_scales": scales or None}
        return dict(_single(self.name, loras))


def _endpoint(model: str) -> tuple[str, dict[str, JsonValue]]:
    """The path to post to, and the member that names a version."""
    if ":" in model or "/" not in model:
        return "predictions", {"version": model.rpartition(":")[2]}
    return (f"{model}/predictions" if model.startswith("deployments/") else f"models/{model}/predictions"), {}


def _single(service: str, loras: Sequence[Lora]) -> dict[str, JsonValue]:
    """The fields of models that take one LoRA, and perhaps an extra one."""
    slots = (("lora", "lora_scale"), ("extra_lora", "extra_lora_scale"))
    if len(loras) > len(slots):
        message = f"the model takes {len(slots)} LoRAs, not {len(loras)}; where it takes lists, set fields.loras"
        raise ServiceError(make_failure(FailureClass.INVALID_REQUEST, message, service=service))
    filled = zip(slots, loras, strict=False)
    return {name: value for (path, scale), lora in filled for name, value in ((path, lora.path), (scale, lora.scale))}


def _read(reply: Reply, prediction: Mapping[str, JsonValue]) -> Answer:
    output = prediction.get("output")
    entries = [entry for entry in (output if isinstance(output, list) else [output]) if entry]
    if not entries and prediction.get("data_removed"):
        message = "the service has deleted the prediction's output, as it does after an hour"
        raise ServiceError(reply.failure(FailureClass.ARTIFACT_EXPIRED, message))
    if not entries:
        raise ServiceError(reply.failure(FailureClass.PROTOCOL_ERROR, "the prediction succeeded without an image"))
    model = prediction.get("model")
    images = tuple(read_image(reply, entry, None) for entry in entries)
    return Answer(images, reply.short(model) if isinstance(model, str) else None)


def _failed(reply: Reply, prediction: Mapping[str, JsonValue]) -> Failure:
    said = str(prediction.get("error") or "the prediction failed without a word")
    if _MODERATED.search(said):
        refused = True if _OUTPUT_REFUSED.search(said) else None
        return reply.failure(FailureClass.CONTENT_REJECTED, said, output_refused=refused)
    return reply.failure(FailureClass.GENERATION_FAILED, said)


def _entries(page: Mapping[str, JsonValue]) -> list[dict[str, JsonValue]]:
    results = page.get("results")
    return [entry for entry in results if isinstance(entry, dict)] if isinstance(results, list) else []
