"""ComfyUI: a workflow of the operator's is patched and posted to `/prompt` under an id that we choose."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from activities.services.base import Accepted, Call, Completed, Pending, RemoteArtifact, ServiceError
from activities.services.client import Outgoing, ServiceClient
from activities.services.comfyui_history import node_errors, read_history
from activities.services.comfyui_workflow import Workflow, WorkflowError, patched, read_workflow
from activities.services.download import Downloader
from activities.services.http_errors import Reply
from activities.services.loras import asked_model, chosen_loras
from activities.services.refusals import Phase
from activities.services.sizes import asked_size
from contracts.errors import FailureClass, make_failure
from contracts.json_body import parse_json
from contracts.requests import ImageRequest, JobReference
from runtime.settings import ServiceSettings

_NAMESPACE = uuid.UUID("5f0b6b0e-3c55-5d0e-9a39-0c6c9e5a3a51")
_NOT_INSTALLED = frozenset({"value_not_in_list", "missing_node_type", "invalid_prompt", "prompt_no_outputs"})
"""Codes of a refused workflow that the request has no part in: a model, node or output that is not there."""


class ComfyUIService:
    """A ComfyUI server. Its history is in memory: a restart loses its jobs."""

    def __init__(self, name: str, settings: ServiceSettings) -> None:
        self.name = name
        self.settings = settings
        self._client = ServiceClient(name, settings)
        self._downloader = Downloader(name, settings, credentials=self._client.credentials)

    async def submit(self, call: Call) -> Accepted:
        """Queue the workflow; the server's own id counts where it is too old to take ours."""
        job_id = self._job_id(call)
        graph = await asyncio.to_thread(self._graph, call, job_id)
        content = self._client.json({"prompt": graph, "client_id": job_id, "prompt_id": job_id})
        url = f"{self.settings.base_url}/prompt"
        outgoing = Outgoing(method="POST", url=url, phase=Phase.SUBMIT, content=content)
        reply = await self._client.ask(outgoing, call)
        answer = _object(reply)
        given = answer.get("prompt_id")
        if 200 <= reply.status < 300 and isinstance(given, str) and given:  # noqa: PLR2004 - the classes of HTTP statuses
            return Accepted(self._job(given[:200]))
        raise self._refusal(reply, answer)

    async def poll(self, job: JobReference, call: Call) -> Pending | Completed:
        """Look into the history, and into the queue where the history does not know the job."""
        answer = await self._finished(job, call)
        if answer is not None:
            return answer
        if await self._place_in_queue(job.job_id, call) is not None:
            return Pending()
        # It may have left the queue between the two looks.
        answer = await self._finished(job, call)
        if answer is not None:
            return answer
        message = f"{self.name} knows job {job.job_id} neither in its queue nor in its history: was it restarted?"
        raise ServiceError(make_failure(FailureClass.JOB_LOST, message, service=self.name))

    async def find(self, call: Call) -> Accepted | None:
        """The job of an earlier submit, by the id that it was given."""
        job = self._job(self._job_id(call))
        if await self._place_in_queue(job.job_id, call) is not None or await self._entry(job, call) is not None:
            return Accepted(job)
        return None

    async def cancel(self, job: JobReference, call: Call) -> None:
        """Take the job out of the queue, or interrupt it where it is the one that runs."""
        place = await self._place_in_queue(job.job_id, call)
        if place == "queue_pending":
            await self._post("/queue", {"delete": [job.job_id]}, call)
        elif place == "queue_running":
            await self._post("/interrupt", {"prompt_id": job.job_id}, call)

    async def download(self, artifact: RemoteArtifact, call: Call) -> bytes:
        """Fetch an image from `/view`."""
        return await self._downloader.fetch(artifact, call)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
        await self._downloader.aclose()

    # --- what is posted -------------------------------------------------------------------------------------------

    def _job_id(self, call: Call) -> str:
        return str(uuid.uuid5(_NAMESPACE, f"{self.name}\n{call.key or call.correlation_id}"))

    def _job(self, job_id: str) -> JobReference:
        return JobReference(service=self.name, job_id=job_id)

    def _graph(self, call: Call, job_id: str) -> Workflow:
        values = self._values(call, job_id)
        try:
            return patched(read_workflow(self.settings.workflow_file), self.settings.patches, values)
        except WorkflowError as error:
            # No other class is the operator's and proves that nothing was sent.
            message = f"services.{self.name}: {error}"
            raise ServiceError(make_failure(FailureClass.MODEL_NOT_FOUND, message, service=self.name)) from None

    def _values(self, call: Call, job_id: str) -> Mapping[str, JsonValue]:
        request = call.request
        # The workflow has a size of its own, for requests that name no shape.
        shaped = request.width or request.height or request.aspect_ratio
        width, height = asked_size(request, self.name, self.settings) if shaped else (None, None)
        return {
            **dict(_custom(request)),
            "prompt": request.prompt,
            "negative_prompt": request.negative_prompt,
            "model": asked_model(request, self.settings),
            "width": width,
            "height": height,
            "aspect_ratio": request.aspect_ratio,
            "seed": _seed(request.seed, job_id),
            "steps": request.steps,
            "cfg_scale": request.cfg_scale,
            **dict(self._lora_values(call)),
        }

    def _lora_values(self, call: Call) -> Iterator[tuple[str, JsonValue]]:
        if "lora" not in self.settings.patches:
            return
        for number, lora in enumerate(chosen_loras(call.request, self.name, self.settings), start=1):
            suffix = "" if number == 1 else f"_{number}"
            if f"lora{suffix}" not in self.settings.patches:
                message = f"lora: the workflow of {self.name} has a place for {number - 1}, the request names more"
                raise ServiceError(make_failure(FailureClass.INVALID_REQUEST, message, service=self.name))
            yield f"lora{suffix}", lora.path
            yield f"lora_scale{suffix}", lora.scale

    def _refusal(self, reply: Reply, answer: Mapping[str, JsonValue]) -> ServiceError:
        error = self._client.refusal(reply, Phase.SUBMIT)
        found = list(node_errors(answer))
        codes = {code for code, _ in found} | {error.failure.provider_code or ""}
        if error.failure.failure is not FailureClass.INVALID_REQUEST:
            return error
        failure = FailureClass.MODEL_NOT_FOUND if codes & _NOT_INSTALLED else FailureClass.INVALID_REQUEST
        message = "; ".join((error.failure.message, *(text for _, text in found)))
        return ServiceError(reply.failure(failure, message, error.failure.provider_code))

    # --- what is asked --------------------------------------------------------------------------------------------

    async def _finished(self, job: JobReference, call: Call) -> Pending | Completed | None:
        found = await self._entry(job, call)
        if found is None:
            return None
        reply, entry = found
        seed = _seed(call.request.seed, job.job_id) if "seed" in self.settings.patches else None
        images = read_history(reply, entry, self.settings.base_url, seed)
        return Pending() if images is None else Completed(images, asked_model(call.request, self.settings))

    async def _entry(self, job: JobReference, call: Call) -> tuple[Reply, Mapping[str, JsonValue]] | None:
        reply, content = await self._get(f"/history/{job.job_id}", call)
        entry = content.get(job.job_id)
        return (reply, entry) if isinstance(entry, dict) else None

    async def _place_in_queue(self, job_id: str, call: Call) -> str | None:
        _, content = await self._get("/queue", call)
        for place in ("queue_running", "queue_pending"):
            listed = content.get(place)
            for entry in listed if isinstance(listed, list) else ():
                if isinstance(entry, list) and job_id in entry[:2]:
                    return place
        return None

    async def _get(self, path: str, call: Call) -> tuple[Reply, Mapping[str, JsonValue]]:
        reply = await self._client.get(f"{self.settings.base_url}{path}", call)
        content = parse_json(reply.body)
        if not isinstance(content, dict):
            raise self._client.refusal(reply, Phase.POLL)
        return reply, content

    async def _post(self, path: str, payload: Mapping[str, JsonValue], call: Call) -> None:
        url, content = f"{self.settings.base_url}{path}", self._client.json(payload)
        await self._client.send(Outgoing(method="POST", url=url, phase=Phase.POLL, content=content), call)


def _object(reply: Reply) -> Mapping[str, JsonValue]:
    content = parse_json(reply.body)
    return content if isinstance(content, dict) else {}


def _custom(request: ImageRequest) -> Iterator[tuple[str, JsonValue]]:
    """What patches of the operator's own names are fed from; nothing that could wire nodes, or choose a LoRA."""
    for name, value in (request.custom or {}).items():
        if isinstance(value, str | int | float) and not name.startswith("lora"):
            yield name, value


def _seed(asked: int | None, job_id: str) -> int:
    """The request's seed, else one that only this job has: with an unchanged workflow ComfyUI would draw nothing."""
    if asked is not None and asked >= 0:
        return asked
    return uuid.uuid5(_NAMESPACE, job_id).int % 2**32
