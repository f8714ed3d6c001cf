"""A self-written ComfyUI: its queue and its history as the documented answers show them. It draws nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from pydantic import JsonValue
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.services.calls import picture

PNG = picture()
WORKFLOW = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 1, "steps": 20, "cfg": 8.0, "sampler_name": "euler"}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "base.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 512, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["4", 1]}},
    "10": {"class_type": "LoraLoader", "inputs": {"lora_name": "none", "strength_model": 0.0, "strength_clip": 0.0}},
    "25": {"class_type": "RandomNoise", "inputs": {"noise_seed": 1}},
    "29": {"class_type": "SaveImage", "inputs": {"filename_prefix": "odoo"}},
}
PATCHES = {
    "prompt": "6.inputs.text",
    "negative_prompt": "7.inputs.text",
    "model": "4.inputs.ckpt_name",
    "width": "5.inputs.width",
    "height": "5.inputs.height",
    "seed": "3.inputs.seed, 25.inputs.noise_seed",
    "steps": "3.inputs.steps",
    "cfg_scale": "3.inputs.cfg",
    "sampler": "3.inputs.sampler_name",
    "lora": "10.inputs.lora_name",
    "lora_scale": "10.inputs.strength_model,10.inputs.strength_clip",
}
SAVED: dict[str, JsonValue] = {"29": {"images": [{"filename": "odoo 1.png", "subfolder": "a/b", "type": "output"}]}}
SUCCESS: dict[str, JsonValue] = {"status_str": "success", "completed": True, "messages": [["execution_start", {}]]}


@dataclass
class ComfyUI:
    """What the server holds. A test changes it between calls."""

    http: HTTPServer
    takes_ids: bool = True
    """Older builds choose the prompt id themselves."""
    running: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    history: dict[str, JsonValue] = field(default_factory=dict)
    posted: list[tuple[str, dict[str, JsonValue]]] = field(default_factory=list)
    authorized: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        for path, answer in (("/prompt", self._prompt), ("/queue", self._queue), ("/interrupt", self._interrupt)):
            self.http.expect_request(path).respond_with_handler(answer)
        self.http.expect_request("/view").respond_with_handler(self._view)

    @property
    def url(self) -> str:
        return self.http.url_for("").rstrip("/")

    def finish(self, job_id: str, outputs: JsonValue = None, status: JsonValue = None) -> None:
        """The job leaves the queue for the history."""
        self.running = [other for other in self.running if other != job_id]
        self.pending = [other for other in self.pending if other != job_id]
        self.knows(job_id, {"outputs": outputs or {}, "status": status or SUCCESS})

    def knows(self, job_id: str, entry: JsonValue) -> None:
        """What the history says of a job; None = nothing."""
        self.history[job_id] = entry

    def watch(self, job_id: str) -> None:
        """Answer for the history of this job."""

        def answer(request: Request) -> Response:
            entry = self.history.get(job_id)
            return _json({} if entry is None else {job_id: entry})

        self.http.expect_request(f"/history/{job_id}").respond_with_handler(answer)

    def _prompt(self, request: Request) -> Response:
        body = self._take(request)
        job_id = str(body["prompt_id"]) if self.takes_ids else "the-servers-own"
        self.pending.append(job_id)
        return _json({"prompt_id": job_id, "number": 1, "node_errors": {}})

    def _queue(self, request: Request) -> Response:
        if request.method == "POST":
            self._take(request)
            return Response("")
        return _json({"queue_running": _entries(self.running), "queue_pending": _entries(self.pending)})

    def _interrupt(self, request: Request) -> Response:
        self._take(request)
        return Response("")

    def _view(self, request: Request) -> Response:
        self.authorized.append(request.headers.get("Authorization"))
        asked = request.args.to_dict()
        found = asked == {"filename": "odoo 1.png", "subfolder": "a/b", "type": "output"}
        return Response(PNG, mimetype="image/png") if found else Response("", 404)

    def _take(self, request: Request) -> dict[str, JsonValue]:
        body: dict[str, JsonValue] = json.loads(request.get_data())
        self.posted.append((request.path, body))
        return body


def _entries(job_ids: list[str]) -> list[JsonValue]:
    return [[1, job_id, {}, {}, []] for job_id in job_ids]


def _json(content: JsonValue) -> Response:
    return Response(json.dumps(content), mimetype="application/json")
