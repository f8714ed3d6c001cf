"""fal's documented shapes, against a self-written server (pytest-httpserver)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import JsonValue
from pytest_httpserver import HTTPServer

from activities.services.base import Completed, ImageService, Pending, RemoteArtifact, ServiceError
from contracts.errors import FailureClass as Class
from contracts.errors import Retry
from tests.services.calls import call, failing
from tests.services.job_accounts import ACCOUNTS, IMAGE_URL

Connect = Callable[..., ImageService]
JOB = ACCOUNTS["fal"].job
PATH = "/fal-ai/flux-lora/requests/r1"
RESULT: dict[str, JsonValue] = {
    "images": [{"url": IMAGE_URL, "width": 1024, "height": 768, "content_type": "image/jpeg"}],
    "timings": {"inference": 1.2},
    "seed": 42,
    "has_nsfw_concepts": [False],
    "prompt": "a harbour at dawn",
}


def model_error(kind: str, message: str = "no") -> dict[str, JsonValue]:
    return {"detail": [{"loc": ["body", "prompt"], "msg": message, "type": kind, "url": "https://docs.fal.ai/errors"}]}


def request_error(kind: str) -> dict[str, JsonValue]:
    return {"detail": "It failed", "error_type": kind}


@pytest.fixture
def service(httpserver: HTTPServer, connect: Connect) -> ImageService:
    return connect("fal", httpserver.url_for("/"), model="fal-ai/flux-lora")


def play(
    server: HTTPServer,
    result: JsonValue,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    told: dict[str, JsonValue] | None = None,
) -> None:
    """A job that is over, and the answer for its result."""
    server.expect_request(f"{PATH}/status", method="GET").respond_with_json({"status": "COMPLETED", **(told or {})})
    server.expect_request(PATH, method="GET").respond_with_json(result, status=status, headers=headers)


def sent(server: HTTPServer) -> JsonValue:
    value: JsonValue = server.log[-1][0].json
    return value


async def submit(server: HTTPServer, service: ImageService, **fields: object) -> JsonValue:
    server.expect_request("/fal-ai/flux-lora", method="POST").respond_with_json(dict(ACCOUNTS["fal"].accepted))
    await service.submit(call(5.0, **fields))
    return sent(server)


# --- what is asked ----------------------------------------------------------------------------------------------------


async def test_the_least(httpserver: HTTPServer, service: ImageService) -> None:
    body = {"prompt": "a harbour at dawn", "image_size": {"width": 1024, "height": 1024}}
    assert await submit(httpserver, service) == body


async def test_everything(httpserver: HTTPServer, connect: Connect) -> None:
    loras = {"house": {"path": "https://weights.example/house.safetensors", "scale": 0.8}, "ink": {"path": "ink/lora"}}
    service = connect("fal", httpserver.url_for("/"), model="fal-ai/flux-lora", loras=loras)
    body = await submit(
        httpserver,
        service,
        width=512,
        height=256,
        seed=7,
        steps=20,
        cfg_scale=3.5,
        custom={"loras": ["house", {"name": "ink", "scale": 0.5}], "num_images": 2, "output_format": "png"},
    )
    assert body == {
        "prompt": "a harbour at dawn",
        "image_size": {"width": 512, "height": 256},
        "seed": 7,
        "num_inference_steps": 20,
        "guidance_scale": 3.5,
        "loras": [
            {"path": "https://weights.example/house.safetensors", "scale": 0.8},
            {"path": "ink/lora", "scale": 0.5},
        ],
        "num_images": 2,
        "output_format": "png",
    }


@pytest.mark.parametrize(
    ("fields", "asked", "shape"),
    [
        ({}, {"aspect_ratio": "1:1"}, {"image_size": {"width": 1024, "height": 1024}}),
        ({}, {"aspect_ratio": "16:9"}, {"image_size": {"width": 1360, "height": 768}}),
        ({}, {"width": 1000, "height": 333}, {"image_size": {"width": 1000, "height": 333}}),
        (
            {"width": "", "height": "", "aspect_ratio": "aspect_ratio"},
            {"aspect_ratio": "21:9"},
            {"aspect_ratio": "21:9"},
        ),
        ({"width": "width", "height": "height"}, {"width": 640, "height": 480}, {"width": 640, "height": 480}),
        ({"aspect_ratio": "ratio"}, {"aspect_ratio": "4:3"}, {"ratio": "4:3"}),
    ],
)
async def test_shapes(
    fields: dict[str, str],
    asked: dict[str, object],
    shape: dict[str, JsonValue],
    httpserver: HTTPServer,
    connect: Connect,
) -> None:
    service = connect("fal", httpserver.url_for("/"), model="fal-ai/flux-lora", fields=fields)
    assert await submit(httpserver, service, **asked) == {"prompt": "a harbour at dawn", **shape}


async def test_a_lora_as_the_model_leaves_the_services_model(httpserver: HTTPServer, connect: Connect) -> None:
    service = connect("fal", httpserver.url_for("/"), model="fal-ai/flux-lora", loras={"house": {"path": "h"}})
    body = await submit(httpserver, service, model="house")
    assert isinstance(body, dict)
    assert body["loras"] == [{"path": "h", "scale": 1.0}]


async def test_a_parameter_that_is_dropped_is_told_with_the_images(httpserver: HTTPServer, connect: Connect) -> None:
    service = connect("fal", httpserver.url_for("/"), model="fal-ai/flux-lora")
    body = await submit(httpserver, service, negative_prompt="people")
    assert isinstance(body, dict)
    assert "negative_prompt" not in body
    play(httpserver, RESULT)
    done = await service.poll(JOB, call(negative_prompt="people"))
    assert isinstance(done, Completed)
    assert [warning.partition(":")[0] for warning in done.warnings] == ["negative_prompt"]


async def test_a_negative_prompt_where_the_model_has_one(httpserver: HTTPServer, connect: Connect) -> None:
    fields = {"negative_prompt": "negative_prompt"}
    service = connect("fal", httpserver.url_for("/"), model="fal-ai/flux-lora", fields=fields)
    body = await submit(httpserver, service, negative_prompt="people")
    assert isinstance(body, dict)
    assert body["negative_prompt"] == "people"


async def test_a_strict_service_refuses_what_it_cannot_honour(httpserver: HTTPServer, connect: Connect) -> None:
    service = connect("fal", httpserver.url_for("/"), model="fal-ai/flux-lora", on_unsupported="error")
    await failing(service.submit(call(negative_prompt="people")), Class.INVALID_REQUEST)
    assert not httpserver.log


async def test_the_key_the_proxy_header_and_the_address_to_ring_at(
    httpserver: HTTPServer, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("id:secret")
    auth = {"kind": "bearer", "secret": f"file:{tmp_path}/key"}
    service = connect("fal", httpserver.url_for("/"), model="fal-ai/flux-lora", auth=auth)
    httpserver.expect_request("/fal-ai/flux-lora").respond_with_json(dict(ACCOUNTS["fal"].accepted))
    ring = "https://orchestrator.example/rings/a?b=c&d"
    await service.submit(replace(call(), webhook_url=ring))
    request = httpserver.log[-1][0]
    assert request.headers["Authorization"] == "Key id:secret"
    assert request.headers["X-Fal-Target-Host"] == "queue.fal.run"
    assert request.args.to_dict() == {"fal_webhook": ring}


# --- what is answered -------------------------------------------------------------------------------------------------


async def test_images(httpserver: HTTPServer, service: ImageService) -> None:
    play(httpserver, RESULT, headers={"x-fal-request-id": "r1", "x-fal-billable-units": "1.5"})
    assert await service.poll(JOB, call()) == Completed(
        (RemoteArtifact(url=IMAGE_URL, seed=42),), "fal-ai/flux-lora", "r1"
    )


@pytest.mark.parametrize(("status", "code"), [("IN_QUEUE", 202), ("IN_PROGRESS", 202), ("IN_PROGRESS", 200)])
async def test_not_finished(status: str, code: int, httpserver: HTTPServer, service: ImageService) -> None:
    told = {"status": status, "queue_position": 1, "logs": []}
    httpserver.expect_request(f"{PATH}/status").respond_with_json(told, status=code)
    assert await service.poll(JOB, call()) == Pending()


async def test_a_result_that_is_not_there_yet(httpserver: HTTPServer, service: ImageService) -> None:
    play(httpserver, {"status": "IN_PROGRESS"}, status=202)
    assert await service.poll(JOB, call()) == Pending()


@pytest.mark.parametrize(
    "case",
    [
        (422, model_error("content_policy_violation"), {"X-Fal-Retryable": "false"}, Class.CONTENT_REJECTED),
        (422, model_error("less_than_equal"), {}, Class.INVALID_REQUEST),
        (422, model_error("file_download_error"), {}, Class.INVALID_REQUEST),
        (422, model_error("no_media_generated"), {}, Class.GENERATION_FAILED),
        (500, model_error("internal_server_error"), {"X-Fal-Retryable": "false"}, Class.GENERATION_FAILED),
        (500, model_error("internal_server_error"), {"X-Fal-Retryable": "true"}, Class.PROVIDER_INTERNAL),
        (500, model_error("internal_server_error"), {"X-Fal-Needs-Retry": "1"}, Class.PROVIDER_INTERNAL),
        (504, model_error("generation_timeout"), {}, Class.GENERATION_FAILED),
        (400, model_error("downstream_service_error"), {}, Class.INVALID_REQUEST),
        (504, request_error("request_timeout"), {}, Class.GENERATION_FAILED),
        (504, request_error("startup_timeout"), {}, Class.PROVIDER_OVERLOADED),
        (503, request_error("runner_scheduling_failure"), {}, Class.PROVIDER_OVERLOADED),
        (503, request_error("runner_connection_refused"), {}, Class.PROVIDER_OVERLOADED),
        (503, request_error("runner_connection_timeout"), {}, Class.PROVIDER_OVERLOADED),
        (503, request_error("runner_disconnected"), {}, Class.PROVIDER_OVERLOADED),
        (502, request_error("runner_incomplete_response"), {}, Class.GENERATION_FAILED),
        (500, request_error("runner_server_error"), {}, Class.GENERATION_FAILED),
        (500, request_error("internal_error"), {}, Class.GENERATION_FAILED),
        (499, request_error("client_cancelled"), {}, Class.JOB_CANCELLED),
        (400, request_error("bad_request"), {}, Class.INVALID_REQUEST),
        (500, {"detail": "x"}, {"X-Fal-Error-Type": "internal_error"}, Class.GENERATION_FAILED),
    ],
)
async def test_a_job_that_failed_is_not_asked_for_again(
    case: tuple[int, dict[str, JsonValue], dict[str, str], Class], httpserver: HTTPServer, service: ImageService
) -> None:
    status, body, headers, expected = case
    play(httpserver, body, status=status, headers=headers, told={"error": "It failed"})
    error = await failing(service.poll(JOB, call()), expected)
    assert ends(error)
    assert error.failure.http_status == status
    never_ran = {"startup_timeout", "runner_scheduling_failure", "runner_connection_refused"}
    assert error.failure.unpaid is (True if body.get("error_type") in never_ran else None)


def ends(error: ServiceError) -> bool:
    return (error.retry or error.failure.rule.retry) is Retry.NEVER


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (500, {"message": "oops"}, Class.PROVIDER_INTERNAL),
        (502, {}, Class.PROVIDER_INTERNAL),
        (503, {"detail": "busy"}, Class.PROVIDER_OVERLOADED),
        (429, {"detail": "slower"}, Class.RATE_LIMITED),
    ],
)
async def test_a_gateway_that_fails_is_asked_again(
    status: int, body: dict[str, JsonValue], expected: Class, httpserver: HTTPServer, service: ImageService
) -> None:
    play(httpserver, body, status=status)
    assert not ends(await failing(service.poll(JOB, call()), expected))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"error": "Request timed out", "error_type": "request_timeout"}, Class.GENERATION_FAILED),
        ({"error": "No runner", "error_type": "runner_scheduling_failure"}, Class.PROVIDER_OVERLOADED),
        ({"error": "no", "error_type": "content_policy_violation"}, Class.CONTENT_REJECTED),
        ({"error": "cancelled", "error_type": "client_cancelled"}, Class.JOB_CANCELLED),
        ({"error_type": "internal_error"}, Class.GENERATION_FAILED),
    ],
)
async def test_completed_is_not_success(
    told: dict[str, JsonValue], expected: Class, httpserver: HTTPServer, service: ImageService
) -> None:
    play(httpserver, RESULT, told=told)
    assert ends(await failing(service.poll(JOB, call()), expected))


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({**RESULT, "has_nsfw_concepts": [True]}, Class.CONTENT_REJECTED),
        ({**RESULT, "images": []}, Class.PROTOCOL_ERROR),
        ({"seed": 1}, Class.PROTOCOL_ERROR),
        ({**RESULT, "images": [{"url": "/a.png"}]}, Class.PROTOCOL_ERROR),
        ({"images": [], "error": "out of memory"}, Class.GENERATION_FAILED),
    ],
)
async def test_a_success_without_a_usable_image(
    result: JsonValue, expected: Class, httpserver: HTTPServer, service: ImageService
) -> None:
    play(httpserver, result)
    error = await failing(service.poll(JOB, call()), expected)
    assert (error.failure.output_refused is True) == (expected is Class.CONTENT_REJECTED)


@pytest.mark.parametrize(
    ("status", "detail", "expected"),
    [
        (401, "Cannot access application 'fal-ai/flux-lora'. Authentication is required", Class.AUTHENTICATION_FAILED),
        (403, "User is locked. Reason: Exhausted balance. Top up your balance.", Class.QUOTA_EXHAUSTED),
        (403, "Forbidden", Class.PERMISSION_DENIED),
        (404, "Application 'x' not found", Class.MODEL_NOT_FOUND),
        (429, "Reached the limit of concurrent requests", Class.CONCURRENCY_LIMITED),
        (429, "Too many requests", Class.RATE_LIMITED),
    ],
)
async def test_a_submit_that_the_account_refuses(
    status: int, detail: str, expected: Class, httpserver: HTTPServer, service: ImageService
) -> None:
    httpserver.expect_request("/fal-ai/flux-lora").respond_with_json({"detail": detail}, status=status)
    await failing(service.submit(call()), expected)


# --- cancelling -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body"),
    [(202, "CANCELLATION_REQUESTED"), (400, "ALREADY_COMPLETED"), (404, "NOT_FOUND")],
)
async def test_cancel(status: int, body: str, httpserver: HTTPServer, service: ImageService) -> None:
    httpserver.expect_request(f"{PATH}/cancel", method="PUT").respond_with_json({"status": body}, status=status)
    await service.cancel(JOB, call())
    assert len(httpserver.log) == 1


async def test_a_cancel_that_fails(httpserver: HTTPServer, service: ImageService) -> None:
    httpserver.expect_request(f"{PATH}/cancel", method="PUT").respond_with_json({"detail": "no"}, status=503)
    await failing(service.cancel(JOB, call()), Class.PROVIDER_OVERLOADED)


async def test_a_job_that_was_cancelled(httpserver: HTTPServer, service: ImageService) -> None:
    httpserver.expect_request(f"{PATH}/status").respond_with_json({"status": "CANCELLED"})
    await failing(service.poll(JOB, call()), Class.JOB_CANCELLED)
