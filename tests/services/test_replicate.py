"""Replicate's documented shapes, against a self-written server (pytest-httpserver)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest
from pydantic import JsonValue
from pytest_httpserver import HTTPServer

from activities.services.base import Accepted, Completed, ImageService, InlineArtifact, Pending, RemoteArtifact
from contracts.errors import FailureClass as Class
from tests.services.calls import call, failing, picture
from tests.services.job_accounts import ACCOUNTS, IMAGE_URL

Connect = Callable[..., ImageService]
JOB = ACCOUNTS["replicate"].job
MODEL = ACCOUNTS["replicate"].model
PATH = "/v1/predictions/p1"
PNG = picture()
DATA = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
RING = "https://orchestrator.example/rings/request-7"
SIZED = {"width": "width", "height": "height"}


@pytest.fixture
def service(httpserver: HTTPServer, connect: Connect) -> ImageService:
    return connect("replicate", httpserver.url_for("/"), model=MODEL)


def play(server: HTTPServer, **prediction: JsonValue) -> None:
    content = {"id": "p1", "model": MODEL, "error": None, "output": None, "metrics": {}, **prediction}
    server.expect_request(PATH, method="GET").respond_with_json(content)


async def submit(server: HTTPServer, service: ImageService, path: str = "", **fields: object) -> JsonValue:
    accepted = dict(ACCOUNTS["replicate"].accepted)
    server.expect_request(path or f"/v1/models/{MODEL}/predictions", method="POST").respond_with_json(accepted, 201)
    answer = await service.submit(call(5.0, **fields))
    assert isinstance(answer, Accepted)
    value: JsonValue = server.log[-1][0].json
    return value


# --- what is asked ----------------------------------------------------------------------------------------------------


async def test_the_least(httpserver: HTTPServer, service: ImageService) -> None:
    assert await submit(httpserver, service) == {"input": {"prompt": "a harbour at dawn"}}


async def test_everything(httpserver: HTTPServer, connect: Connect) -> None:
    loras = {"house": {"path": "owner/house", "scale": 0.8}}
    service = connect("replicate", httpserver.url_for("/"), model=MODEL, loras=loras)
    body = await submit(
        httpserver,
        service,
        aspect_ratio="16:9",
        seed=7,
        steps=20,
        cfg_scale=3.5,
        custom={"lora": "house", "num_outputs": 2, "go_fast": False},
    )
    assert body == {
        "input": {
            "prompt": "a harbour at dawn",
            "aspect_ratio": "16:9",
            "seed": 7,
            "num_inference_steps": 20,
            "guidance": 3.5,
            "lora_weights": "owner/house",
            "lora_scale": 0.8,
            "num_outputs": 2,
            "go_fast": False,
        }
    }


@pytest.mark.parametrize(
    ("fields", "asked", "shape"),
    [
        ({}, {"width": 1344, "height": 768}, {"aspect_ratio": "16:9"}),
        ({}, {"width": 1000, "height": 990}, {"aspect_ratio": "1:1"}),
        ({}, {"aspect_ratio": "9:21"}, {"aspect_ratio": "9:21"}),
        (SIZED, {}, {"width": 1024, "height": 1024, "aspect_ratio": "custom"}),
        (SIZED, {"width": 640, "height": 480}, {"width": 640, "height": 480, "aspect_ratio": "custom"}),
        (SIZED, {"aspect_ratio": "4:3"}, {"aspect_ratio": "4:3"}),
        (SIZED, {"aspect_ratio": "7:5"}, {"width": 1216, "height": 864, "aspect_ratio": "custom"}),
        ({**SIZED, "aspect_ratio": ""}, {"aspect_ratio": "4:3"}, {"width": 1184, "height": 880}),
        ({"aspect_ratio": ""}, {"aspect_ratio": "4:3"}, {}),
    ],
)
async def test_shapes(
    fields: dict[str, str],
    asked: dict[str, object],
    shape: dict[str, JsonValue],
    httpserver: HTTPServer,
    connect: Connect,
) -> None:
    service = connect("replicate", httpserver.url_for("/"), model=MODEL, fields=fields)
    assert await submit(httpserver, service, "", **asked) == {"input": {"prompt": "a harbour at dawn", **shape}}


@pytest.mark.parametrize(
    ("fields", "asked", "named"),
    [
        (
            {},
            ["a", "b:0.5"],
            {"lora_weights": "path/a", "lora_scale": 1.0, "extra_lora": "path/b", "extra_lora_scale": 0.5},
        ),
        ({"lora": "replicate_weights"}, ["a"], {"replicate_weights": "path/a", "lora_scale": 1.0}),
        (
            {"loras": "hf_loras", "lora_scales": "lora_scales"},
            ["a", "b", "c:2"],
            {"hf_loras": ["path/a", "path/b", "path/c"], "lora_scales": [1.0, 1.0, 2.0]},
        ),
        ({"loras": "hf_loras"}, [], {}),
    ],
)
async def test_loras(
    fields: dict[str, str],
    asked: list[str],
    named: dict[str, JsonValue],
    httpserver: HTTPServer,
    connect: Connect,
) -> None:
    loras = {name: {"path": f"path/{name}"} for name in "abc"}
    service = connect("replicate", httpserver.url_for("/"), model=MODEL, loras=loras, fields=fields)
    body = await submit(httpserver, service, custom={"loras": asked})
    assert body == {"input": {"prompt": "a harbour at dawn", **named}}


async def test_more_loras_than_the_model_takes(httpserver: HTTPServer, connect: Connect) -> None:
    loras = {name: {"path": f"path/{name}"} for name in "abc"}
    service = connect("replicate", httpserver.url_for("/"), model=MODEL, loras=loras)
    await failing(service.submit(call(custom={"loras": ["a", "b", "c"]})), Class.INVALID_REQUEST)
    assert not httpserver.log


@pytest.mark.parametrize(
    "case",
    [
        ("owner/name", "/v1/models/owner/name/predictions", None),
        ("deployments/owner/name", "/v1/deployments/owner/name/predictions", None),
        ("owner/name:abc123", "/v1/predictions", "abc123"),
        ("a" * 64, "/v1/predictions", "a" * 64),
    ],
)
@pytest.mark.parametrize("base", ["", "v1"])
async def test_models_versions_and_deployments(
    case: tuple[str, str, str | None], base: str, httpserver: HTTPServer, connect: Connect
) -> None:
    model, path, version = case
    service = connect("replicate", httpserver.url_for(f"/{base}"), model=model)
    body = await submit(httpserver, service, path)
    assert isinstance(body, dict)
    assert body.get("version") == version
    play(httpserver, status="starting")
    assert await service.poll(JOB, call()) == Pending()


async def test_the_address_to_ring_at(httpserver: HTTPServer, service: ImageService) -> None:
    path = f"/v1/models/{MODEL}/predictions"
    httpserver.expect_request(path).respond_with_json(dict(ACCOUNTS["replicate"].accepted), 201)
    await service.submit(replace(call(), webhook_url=RING))
    body = httpserver.log[-1][0].json
    assert (body["webhook"], body["webhook_events_filter"]) == (RING, ["completed"])


# --- what is answered -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "artifacts"),
    [
        ([IMAGE_URL], (RemoteArtifact(url=IMAGE_URL),)),
        (IMAGE_URL, (RemoteArtifact(url=IMAGE_URL),)),
        ([IMAGE_URL, None, f"{IMAGE_URL}?2"], (RemoteArtifact(url=IMAGE_URL), RemoteArtifact(url=f"{IMAGE_URL}?2"))),
        (DATA, (InlineArtifact(PNG),)),
        ([DATA], (InlineArtifact(PNG),)),
    ],
)
async def test_output(
    output: JsonValue,
    artifacts: tuple[InlineArtifact | RemoteArtifact, ...],
    httpserver: HTTPServer,
    service: ImageService,
) -> None:
    play(httpserver, status="succeeded", output=output)
    assert await service.poll(JOB, call()) == Completed(artifacts, MODEL, "p1")


@pytest.mark.parametrize("status", ["starting", "processing"])
async def test_not_finished(status: str, httpserver: HTTPServer, service: ImageService) -> None:
    play(httpserver, status=status)
    assert await service.poll(JOB, call()) == Pending()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("NSFW content detected. Try running it again, or try a different prompt.", Class.CONTENT_REJECTED),
        ("The input or output was flagged as sensitive. Please try again. (E005)", Class.CONTENT_REJECTED),
        ("Error: prompt violates our content policy", Class.CONTENT_REJECTED),
        ("All generated images contained NSFW images.", Class.CONTENT_REJECTED),
        ("request was moderated", Class.CONTENT_REJECTED),
        ("CUDA out of memory", Class.GENERATION_FAILED),
        ("Prediction interrupted; please retry (code: PA)", Class.GENERATION_FAILED),
        ("E6716: Timeout starting prediction", Class.GENERATION_FAILED),
        ("Prediction failed for E0051 reasons in an immoderate way", Class.GENERATION_FAILED),
        (None, Class.GENERATION_FAILED),
        ("", Class.GENERATION_FAILED),
    ],
)
async def test_failed(error: JsonValue, expected: Class, httpserver: HTTPServer, service: ImageService) -> None:
    play(httpserver, status="failed", error=error)
    failure = (await failing(service.poll(JOB, call()), expected)).failure
    assert isinstance(error, str | None)
    assert (error or "without a word") in failure.message


async def test_a_picture_that_was_refused_may_pass_with_another_seed(
    httpserver: HTTPServer, service: ImageService
) -> None:
    play(httpserver, status="failed", error="NSFW content detected. Try running it again.")
    assert (await failing(service.poll(JOB, call()), Class.CONTENT_REJECTED)).failure.output_refused is True


@pytest.mark.parametrize("status", ["canceled", "aborted"])
async def test_cancelled(status: str, httpserver: HTTPServer, service: ImageService) -> None:
    play(httpserver, status=status)
    await failing(service.poll(JOB, call()), Class.JOB_CANCELLED)


@pytest.mark.parametrize(
    ("output", "removed", "expected"),
    [
        (None, False, Class.PROTOCOL_ERROR),
        ([], False, Class.PROTOCOL_ERROR),
        ([None, ""], False, Class.PROTOCOL_ERROR),
        ("/local/a.png", False, Class.PROTOCOL_ERROR),
        ("data:image/svg+xml;base64,PHN2Zy8+", False, Class.PROTOCOL_ERROR),
        ({"text": "no"}, False, Class.PROTOCOL_ERROR),
        (None, True, Class.ARTIFACT_EXPIRED),
    ],
)
async def test_a_success_without_a_usable_image(
    output: JsonValue, removed: bool, expected: Class, httpserver: HTTPServer, service: ImageService
) -> None:
    play(httpserver, status="succeeded", output=output, data_removed=removed)
    await failing(service.poll(JOB, call()), expected)


@pytest.mark.parametrize(
    "case",
    [
        (401, {"title": "Unauthenticated", "detail": "You did not pass a token"}, Class.AUTHENTICATION_FAILED, None),
        (402, {"title": "Insufficient credit", "detail": "Buy some", "status": 402}, Class.QUOTA_EXHAUSTED, None),
        (404, {"detail": "The requested resource could not be found."}, Class.MODEL_NOT_FOUND, None),
        (
            422,
            {"title": "Input validation failed", "detail": "- input.steps: Must be <= 50", "status": 422},
            Class.INVALID_REQUEST,
            None,
        ),
        (
            429,
            {"detail": "Request was throttled. Your rate limit resets in ~10s.", "status": 429, "retry_after": 10},
            Class.RATE_LIMITED,
            10,
        ),
    ],
)
async def test_a_submit_that_the_account_refuses(
    case: tuple[int, dict[str, JsonValue], Class, float | None], httpserver: HTTPServer, service: ImageService
) -> None:
    status, body, expected, wait = case
    httpserver.expect_request(f"/v1/models/{MODEL}/predictions").respond_with_json(body, status=status)
    assert (await failing(service.submit(call()), expected)).retry_after_s == wait


# --- finding and cancelling -------------------------------------------------------------------------------------------


def entry(number: int, webhook: str | None) -> dict[str, JsonValue]:
    url = f"https://api.replicate.com/v1/predictions/p{number}"
    return {
        "id": f"p{number}",
        "status": "processing",
        "webhook": webhook,
        "urls": {"get": url, "cancel": f"{url}/cancel"},
    }


async def test_a_lost_prediction_is_found_by_the_address_it_rings_at(
    httpserver: HTTPServer, service: ImageService
) -> None:
    following = "https://api.replicate.com/v1/predictions?cursor=2"
    first: dict[str, JsonValue] = {"next": following, "results": [entry(3, None), entry(2, f"{RING}8"), "odd"]}
    httpserver.expect_ordered_request("/v1/predictions", method="GET").respond_with_json(first)
    httpserver.expect_ordered_request("/v1/predictions", query_string="cursor=2").respond_with_json(
        {"next": None, "results": [entry(1, RING)]}
    )
    found = await service.find(replace(call(), webhook_url=RING))
    assert isinstance(found, Accepted)
    assert found.job == JOB
    assert "created_after" in httpserver.log[0][0].args


@pytest.mark.parametrize("page", [{"next": None, "results": []}, {"results": None}, {"results": [{}]}])
async def test_nothing_is_found(page: JsonValue, httpserver: HTTPServer, service: ImageService) -> None:
    httpserver.expect_request("/v1/predictions").respond_with_json(page)
    assert await service.find(replace(call(), webhook_url=RING)) is None


async def test_a_search_ends(httpserver: HTTPServer, service: ImageService) -> None:
    page = {"next": "https://api.replicate.com/v1/predictions?cursor=1", "results": [entry(3, None)]}
    httpserver.expect_request("/v1/predictions").respond_with_json(page)
    assert await service.find(replace(call(), webhook_url=RING)) is None
    assert len(httpserver.log) == 10


@pytest.mark.parametrize("status", [200, 404, 422])
async def test_cancel(status: int, httpserver: HTTPServer, service: ImageService) -> None:
    httpserver.expect_request(f"{PATH}/cancel", method="POST").respond_with_json({"id": "p1"}, status=status)
    await service.cancel(JOB, call())
    assert len(httpserver.log) == 1


async def test_a_cancel_that_fails(httpserver: HTTPServer, service: ImageService) -> None:
    httpserver.expect_request(f"{PATH}/cancel").respond_with_json({"detail": "no"}, status=401)
    await failing(service.cancel(JOB, call()), Class.AUTHENTICATION_FAILED)
