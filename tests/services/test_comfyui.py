"""ComfyUI's documented behaviour, played by a self-written server: ComfyUI is on no package registry."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue
from pytest_httpserver import HTTPServer

from activities.services.base import Accepted, Call, Completed, ImageService, Pending, RemoteArtifact
from contracts.errors import FailureClass as Class
from contracts.errors import Retry
from contracts.requests import JobReference
from tests.services.calls import call, failing
from tests.services.comfyui_server import PATCHES, PNG, SAVED, WORKFLOW, ComfyUI
from tests.services.scripted import Script, ScriptedServer

Connect = Callable[..., ImageService]


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    path = tmp_path / "workflow.json"
    path.write_text(json.dumps(WORKFLOW), encoding="utf-8")
    return path


@pytest.fixture
def comfy(httpserver: HTTPServer) -> ComfyUI:
    return ComfyUI(httpserver)


@pytest.fixture
def service(comfy: ComfyUI, connect: Connect, workflow: Path) -> ImageService:
    return connect("comfyui", comfy.url, workflow_file=workflow, patches=PATCHES)


@pytest.fixture
def elsewhere(server: ScriptedServer, connect: Connect, workflow: Path) -> ImageService:
    """A server that answers with whatever a test says."""
    return connect("comfyui", server.url, workflow_file=workflow, patches=PATCHES)


def keyed(key: str | None, **fields: Any) -> Call:
    return dataclasses.replace(call(**fields), key=key)


async def submitted(service: ImageService, comfy: ComfyUI, **fields: Any) -> JobReference:
    answer = await service.submit(keyed("k1", **fields))
    assert isinstance(answer, Accepted)
    comfy.watch(answer.job.job_id)
    return answer.job


def graph(comfy: ComfyUI) -> dict[str, Any]:
    path, body = comfy.posted[-1]
    assert path == "/prompt"
    assert body["client_id"] == body["prompt_id"]
    sent = body["prompt"]
    assert isinstance(sent, dict)
    return sent


# --- what is posted --------------------------------------------------------------------------------------------------


async def test_the_workflow_is_patched(service: ImageService, comfy: ComfyUI) -> None:
    await submitted(
        service,
        comfy,
        negative_prompt="people",
        width=640,
        height=480,
        seed=7,
        steps=4,
        cfg_scale=3.5,
        model="other.safetensors",
        custom={"sampler": "heun", "unknown": 1},
    )
    inputs = {number: node["inputs"] for number, node in graph(comfy).items()}
    assert inputs["3"] == {"seed": 7, "steps": 4, "cfg": 3.5, "sampler_name": "heun"}
    assert inputs["4"] == {"ckpt_name": "other.safetensors"}
    assert inputs["5"] == {"width": 640, "height": 480, "batch_size": 1}
    assert inputs["6"] == {"text": "a harbour at dawn", "clip": ["4", 1]}
    assert inputs["7"]["text"] == "people"
    assert inputs["25"] == {"noise_seed": 7}
    assert graph(comfy)["29"] == WORKFLOW["29"]


async def test_what_a_request_does_not_name_stays_as_the_workflow_has_it(service: ImageService, comfy: ComfyUI) -> None:
    job = await submitted(service, comfy)
    sent = graph(comfy)
    seed = sent["3"]["inputs"]["seed"]
    assert 0 <= seed < 2**32
    assert sent["25"]["inputs"]["noise_seed"] == seed
    unchanged = {"6": sent["6"], "3": sent["3"], "25": sent["25"]}
    assert sent == {**WORKFLOW, **unchanged}
    comfy.finish(job.job_id, SAVED)
    answer = await service.poll(job, call())
    assert isinstance(answer, Completed)
    assert [artifact.seed for artifact in answer.artifacts] == [seed]


async def test_a_custom_field_can_neither_wire_nodes_nor_choose_a_lora(service: ImageService, comfy: ComfyUI) -> None:
    await submitted(service, comfy, custom={"sampler": ["4", 0], "lora_scale": 9, "prompt": "x"})
    sent = graph(comfy)
    assert sent["3"]["inputs"]["sampler_name"] == "euler"
    assert sent["10"] == WORKFLOW["10"]
    assert sent["6"]["inputs"]["text"] == "a harbour at dawn"


async def test_a_lora_stands_where_the_patches_say(comfy: ComfyUI, connect: Connect, workflow: Path) -> None:
    loras = {"brand": {"path": "b.safetensors", "scale": 0.8}, "ink": {"path": "i.safetensors"}}
    service = connect("comfyui", comfy.url, workflow_file=workflow, patches=PATCHES, loras=loras)
    await submitted(service, comfy, custom={"lora": "brand:0.5"})
    sent = graph(comfy)["10"]["inputs"]
    assert sent == {"lora_name": "b.safetensors", "strength_model": 0.5, "strength_clip": 0.5}
    error = await failing(service.submit(call(custom={"loras": ["brand", "ink"]})), Class.INVALID_REQUEST)
    assert "the workflow of svc has a place for 1" in error.failure.message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[]", "export it with Workflow > Export (API)"),
        (b"{}", "export it with Workflow > Export (API)"),
        (b'{"nodes": [], "links": []}', "export it with Workflow > Export (API)"),
    ],
)
async def test_a_workflow_that_cannot_be_used_is_the_operators(
    content: bytes | None, said: str, comfy: ComfyUI, connect: Connect, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "w.json").write_bytes(content)
    service = connect("comfyui", comfy.url, workflow_file=tmp_path / "w.json", patches=PATCHES)
    error = await failing(service.submit(call()), Class.MODEL_NOT_FOUND)
    assert said in error.failure.message
    assert not comfy.posted


@pytest.mark.parametrize("place", ["99.inputs.seed", "3.inputs.seed.x", "3.inputs.noise", "seed", ""])
async def test_a_place_that_the_workflow_does_not_have(
    place: str, comfy: ComfyUI, connect: Connect, workflow: Path
) -> None:
    service = connect("comfyui", comfy.url, workflow_file=workflow, patches={**PATCHES, "seed": place})
    error = await failing(service.submit(call()), Class.MODEL_NOT_FOUND)
    assert f"services.svc: patches.seed: the workflow has no {place}" in error.failure.message
    assert not comfy.posted


# --- ids -------------------------------------------------------------------------------------------------------------


async def test_the_id_names_the_generation(service: ImageService, comfy: ComfyUI) -> None:
    job = await submitted(service, comfy)
    assert comfy.posted[-1][1]["prompt_id"] == job.job_id
    others = [await service.submit(keyed(key)) for key in ("k1", "k2", None)]
    assert [other.job.job_id == job.job_id for other in others if isinstance(other, Accepted)] == [True, False, False]


async def test_an_older_server_chooses_the_id(service: ImageService, comfy: ComfyUI) -> None:
    comfy.takes_ids = False
    assert (await submitted(service, comfy)).job_id == "the-servers-own"


async def test_an_earlier_submit_is_found_wherever_it_is(service: ImageService, comfy: ComfyUI) -> None:
    job = await submitted(service, comfy)
    found = Accepted(job)
    assert await service.find(keyed("k1")) == found
    comfy.running, comfy.pending = [job.job_id], []
    assert await service.find(keyed("k1")) == found
    comfy.finish(job.job_id, SAVED)
    assert await service.find(keyed("k1")) == found
    comfy.history.clear()
    assert await service.find(keyed("k1")) is None
    assert len(comfy.posted) == 1


# --- how a job ends --------------------------------------------------------------------------------------------------


async def test_a_job_from_the_queue_to_its_image(service: ImageService, comfy: ComfyUI) -> None:
    job = await submitted(service, comfy, seed=7)
    assert await service.poll(job, call()) == Pending()
    comfy.running, comfy.pending = [job.job_id], []
    assert await service.poll(job, call()) == Pending()
    comfy.finish(job.job_id, {"8": {"images": [{"filename": "p.png", "type": "temp"}]}, **SAVED})
    answer = await service.poll(job, call(seed=7, model="m"))
    url = f"{comfy.url}/view?filename=odoo+1.png&subfolder=a%2Fb&type=output"
    assert answer == Completed((RemoteArtifact(url=url, seed=7),), "m")
    assert await service.download(RemoteArtifact(url=url), call()) == PNG


async def test_previews_count_where_nothing_was_saved(service: ImageService, comfy: ComfyUI) -> None:
    job = await submitted(service, comfy)
    comfy.finish(job.job_id, {"8": {"images": [{"filename": "p.png", "type": "temp"}]}})
    answer = await service.poll(job, call())
    assert isinstance(answer, Completed)
    assert isinstance(answer.artifacts[0], RemoteArtifact)
    assert answer.artifacts[0].url.endswith("/view?filename=p.png&subfolder=&type=temp")


async def test_an_image_behind_a_proxy_that_wants_a_password(
    comfy: ComfyUI, connect: Connect, workflow: Path, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("k3y")
    auth = {"kind": "bearer", "secret": f"file:{tmp_path}/key"}
    service = connect("comfyui", comfy.url, workflow_file=workflow, patches=PATCHES, auth=auth)
    job = await submitted(service, comfy)
    comfy.finish(job.job_id, SAVED)
    answer = await service.poll(job, call())
    assert isinstance(answer, Completed)
    (artifact,) = answer.artifacts
    assert isinstance(artifact, RemoteArtifact)
    await service.download(artifact, call())
    assert comfy.authorized == ["Bearer k3y"]


async def test_the_password_goes_to_no_other_server(
    server: ScriptedServer, httpserver: HTTPServer, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("k3y")
    auth = {"kind": "bearer", "secret": f"file:{tmp_path}/key"}
    base = httpserver.url_for("").rstrip("/")
    hosts = {"artifact_hosts": ["127.0.0.1"], "allow_private_hosts": True}
    service = connect("comfyui", base, auth=auth, workflow_file="w.json", patches=PATCHES, **hosts)
    httpserver.expect_request("/view").respond_with_data("", 302, {"Location": f"{server.url}/a.png"})
    server.play(Script(body=PNG))
    assert await service.download(RemoteArtifact(url=f"{base}/view"), call()) == PNG
    await service.download(RemoteArtifact(url=f"{server.url}/b.png"), call())
    assert [request.headers.get("Authorization") for request, _ in httpserver.log] == ["Bearer k3y"]
    assert [received.path for received in server.received] == ["/a.png", "/b.png"]
    assert not any("authorization" in received.headers for received in server.received)


ERROR = {
    "node_id": "3",
    "node_type": "KSampler",
    "exception_type": "torch.OutOfMemoryError",
    "exception_message": "CUDA out of memory\n",
}


@pytest.mark.parametrize(
    ("entry", "expected", "said"),
    [
        (
            {"outputs": {}, "status": {"status_str": "error", "messages": [["execution_error", ERROR]]}},
            Class.GENERATION_FAILED,
            "node 3 (KSampler) failed: CUDA out of memory",
        ),
        (
            {"outputs": SAVED, "status": {"status_str": "error", "messages": []}},
            Class.GENERATION_FAILED,
            "the workflow failed: no reason is given",
        ),
        (
            {"outputs": {}, "status": {"status_str": "error", "messages": [["execution_interrupted", {}]]}},
            Class.JOB_CANCELLED,
            "interrupted",
        ),
        ({"outputs": {}, "status": {"status_str": "success", "completed": True}}, Class.PROTOCOL_ERROR, "SaveImage"),
        ({"outputs": {"9": {"text": ["x"]}}, "status": {"completed": True}}, Class.PROTOCOL_ERROR, "SaveImage"),
        ({"outputs": "x"}, Class.PROTOCOL_ERROR, "SaveImage"),
        ({"outputs": {"9": {"images": [{"filename": 5}, "x"]}}, "status": None}, Class.PROTOCOL_ERROR, "SaveImage"),
        ({"status": {"status_str": "error", "messages": "x"}}, Class.GENERATION_FAILED, "failed"),
    ],
)
async def test_a_job_that_made_no_image(
    entry: JsonValue, expected: Class, said: str, service: ImageService, comfy: ComfyUI
) -> None:
    job = await submitted(service, comfy)
    comfy.pending.clear()
    comfy.knows(job.job_id, entry)
    error = await failing(service.poll(job, call()), expected)
    assert said in error.failure.message
    assert error.retry is Retry.NEVER


async def test_a_history_entry_that_is_not_complete(service: ImageService, comfy: ComfyUI) -> None:
    job = await submitted(service, comfy)
    comfy.finish(job.job_id, {}, {"status_str": "", "completed": False})
    assert await service.poll(job, call()) == Pending()


async def test_a_restart_loses_the_job(service: ImageService, comfy: ComfyUI) -> None:
    job = await submitted(service, comfy)
    comfy.pending.clear()
    error = await failing(service.poll(job, call()), Class.JOB_LOST)
    assert "was it restarted?" in error.failure.message


# --- cancelling ------------------------------------------------------------------------------------------------------


async def test_a_waiting_job_is_taken_out_of_the_queue(service: ImageService, comfy: ComfyUI) -> None:
    job = await submitted(service, comfy)
    await service.cancel(job, call())
    assert comfy.posted[-1] == ("/queue", {"delete": [job.job_id]})


async def test_a_running_job_is_interrupted_and_no_other(service: ImageService, comfy: ComfyUI) -> None:
    job = await submitted(service, comfy)
    comfy.running, comfy.pending = [job.job_id], []
    await service.cancel(job, call())
    assert comfy.posted[-1] == ("/interrupt", {"prompt_id": job.job_id})
    comfy.running = ["another"]
    await service.cancel(job, call())
    assert len(comfy.posted) == 2


# --- refusals and nonsense -------------------------------------------------------------------------------------------


def refusal(kind: str, code: str) -> dict[str, JsonValue]:
    error: JsonValue = {
        "type": code,
        "message": "Value not in list",
        "details": "ckpt_name: 'x' not in []",
        "extra_info": {},
    }
    node: JsonValue = {"class_type": "CheckpointLoaderSimple", "errors": [error], "dependent_outputs": ["29"]}
    body: JsonValue = {"type": kind, "message": "Prompt outputs failed validation", "details": "", "extra_info": {}}
    return {"error": body, "node_errors": {"4": node}}


@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        ("prompt_outputs_failed_validation", "value_bigger_than_max", Class.INVALID_REQUEST),
        ("prompt_outputs_failed_validation", "value_not_in_list", Class.MODEL_NOT_FOUND),
        ("prompt_no_outputs", "x", Class.MODEL_NOT_FOUND),
        ("invalid_prompt", "x", Class.MODEL_NOT_FOUND),
        ("missing_node_type", "x", Class.MODEL_NOT_FOUND),
    ],
)
async def test_a_refused_workflow_names_the_node(
    kind: str, code: str, expected: Class, elsewhere: ImageService, server: ScriptedServer
) -> None:
    server.answer(refusal(kind, code), 400)
    failure = (await failing(elsewhere.submit(call()), expected)).failure
    assert "node 4 (CheckpointLoaderSimple): Value not in list ckpt_name: 'x' not in []" in failure.message
    assert failure.provider_code == kind


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (Script(200, b"{}"), Class.PROTOCOL_ERROR),
        (Script(200, b"<html>"), Class.PROTOCOL_ERROR),
        (Script(200, b'{"prompt_id": 5}'), Class.PROTOCOL_ERROR),
        (Script(400, b'{"error": "x", "node_errors": [1]}'), Class.INVALID_REQUEST),
        (Script(400, b'{"error": "x", "node_errors": {"4": {"errors": [1]}, "5": 2}}'), Class.INVALID_REQUEST),
        (Script(401, b""), Class.AUTHENTICATION_FAILED),
        (Script(404, b"404: Not Found"), Class.MODEL_NOT_FOUND),
        (Script(500, b"500 Internal Server Error"), Class.OUTCOME_UNKNOWN),
        (Script(502, b"<html>"), Class.OUTCOME_UNKNOWN),
        (Script(503, b""), Class.PROVIDER_OVERLOADED),
        (Script(then="drop"), Class.OUTCOME_UNKNOWN),
    ],
)
async def test_a_submit_that_goes_wrong(
    script: Script, expected: Class, elsewhere: ImageService, server: ScriptedServer
) -> None:
    server.play(script)
    await failing(elsewhere.submit(call()), expected)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (Script(200, b"[]"), Class.PROTOCOL_ERROR),
        (Script(200, b"<html>"), Class.PROTOCOL_ERROR),
        (Script(500, b"x"), Class.PROVIDER_INTERNAL),
        (Script(503, b""), Class.PROVIDER_OVERLOADED),
        (Script(then="drop"), Class.PROVIDER_INTERNAL),
        (Script(200, b'{"queue_running": 5, "queue_pending": [7, ["x"]]}'), Class.JOB_LOST),
    ],
)
async def test_a_look_that_goes_wrong(
    script: Script, expected: Class, elsewhere: ImageService, server: ScriptedServer
) -> None:
    server.play(script)
    await failing(elsewhere.poll(JobReference(service="svc", job_id="j1"), call()), expected)
