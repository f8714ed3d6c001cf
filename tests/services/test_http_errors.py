from __future__ import annotations

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from activities.services.http_errors import Reply, read_exception, read_refusal
from activities.services.refusals import Phase
from contracts.errors import MESSAGE_LIMIT, UNPAID, FailureClass
from contracts.errors import FailureClass as Class

NOW = 1_800_000_000.0
HTML = b"<!doctype html><html><title>502 Bad Gateway</title></html>"


def openai(
    message: str = "no", code: str | None = None, kind: str | None = "invalid_request_error"
) -> dict[str, JsonValue]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def fastapi(message: str, kind: str) -> dict[str, JsonValue]:
    return {"detail": [{"loc": ["body", "steps"], "msg": message, "type": kind}]}


def reply(status: int, content: JsonValue | bytes, headers: dict[str, str] | None = None) -> Reply:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Reply("svc", status, httpx.Headers(headers or {}), body)


SUBMIT: list[tuple[int, JsonValue | bytes, FailureClass]] = [
    # --- machine codes, whatever the status ---
    (400, openai(code="moderation_blocked", kind="image_generation_user_error"), Class.CONTENT_REJECTED),
    (400, openai(code="content_policy_violation"), Class.CONTENT_REJECTED),
    (500, openai(code="moderation_blocked"), Class.CONTENT_REJECTED),
    (403, {"id": "1", "name": "content_moderation", "errors": ["flagged"]}, Class.CONTENT_REJECTED),
    (422, fastapi("no", "content_policy_violation"), Class.CONTENT_REJECTED),
    (400, {"error": "no", "code": "NSFW_DETECTED"}, Class.CONTENT_REJECTED),
    (400, {"error": {"message": "no", "code": 400, "status": "IMAGE_SAFETY"}}, Class.CONTENT_REJECTED),
    (429, openai(code="insufficient_quota", kind="insufficient_quota"), Class.QUOTA_EXHAUSTED),
    (429, openai(code=None, kind="insufficient_quota"), Class.QUOTA_EXHAUSTED),
    (400, openai(code="billing_hard_limit_reached"), Class.QUOTA_EXHAUSTED),
    (403, {"error": "empty", "code": "INSUFFICIENT_CREDITS"}, Class.QUOTA_EXHAUSTED),
    (429, openai(code="rate_limit_exceeded", kind="requests"), Class.RATE_LIMITED),
    (403, {"error": {"code": 403, "message": "slower", "status": "RESOURCE_EXHAUSTED"}}, Class.RATE_LIMITED),
    (503, {"error": "busy", "code": "QUEUE_FULL"}, Class.CONCURRENCY_LIMITED),
    (400, openai(code="model_not_found"), Class.MODEL_NOT_FOUND),
    (403, openai(code="model_not_found"), Class.MODEL_NOT_FOUND),
    (400, openai(code="invalid_api_key"), Class.AUTHENTICATION_FAILED),
    (400, {"error": {"status": "PERMISSION_DENIED", "message": "no"}}, Class.PERMISSION_DENIED),
    (500, {"error": {"type": "overloaded_error", "message": "busy"}}, Class.PROVIDER_OVERLOADED),
    (504, {"detail": "no runner", "error_type": "runner_scheduling_failure"}, Class.PROVIDER_OVERLOADED),
    (500, {"error": "out of memory", "code": "GENERATION_FAILED"}, Class.GENERATION_FAILED),
    # --- words, as a last resort ---
    (400, openai("rejected by the safety system. safety_violations=[violence]."), Class.CONTENT_REJECTED),
    (400, {"error": "Prompt violates our content policy"}, Class.CONTENT_REJECTED),
    (500, {"detail": "NSFW content detected"}, Class.CONTENT_REJECTED),
    (403, {"detail": "flagged as sensitive"}, Class.CONTENT_REJECTED),
    (
        403,
        openai("The resource has been temporarily blocked: it may violate our content policy", code="Forbidden"),
        Class.PERMISSION_DENIED,
    ),
    (400, openai("Unknown parameter: 'moderation'.", code="unknown_parameter"), Class.INVALID_REQUEST),
    (429, {"error": "job queue is full"}, Class.CONCURRENCY_LIMITED),
    (503, b"queue full", Class.CONCURRENCY_LIMITED),
    (429, {"detail": "You have 24 unfinished tasks: too many active tasks"}, Class.CONCURRENCY_LIMITED),
    (400, openai("The model 'dall-e-3' does not exist"), Class.MODEL_NOT_FOUND),
    (422, {"detail": "unknown model: x"}, Class.MODEL_NOT_FOUND),
    # --- statuses ---
    (300, b"", Class.MODEL_NOT_FOUND),
    (307, b"", Class.MODEL_NOT_FOUND),
    (400, openai(), Class.INVALID_REQUEST),
    (400, b"", Class.INVALID_REQUEST),
    (401, openai(), Class.AUTHENTICATION_FAILED),
    (401, HTML, Class.AUTHENTICATION_FAILED),
    (402, {"detail": "no credit"}, Class.QUOTA_EXHAUSTED),
    (403, openai(), Class.PERMISSION_DENIED),
    (404, {"detail": "Not Found"}, Class.MODEL_NOT_FOUND),
    (404, HTML, Class.MODEL_NOT_FOUND),
    (405, {"detail": "Method Not Allowed"}, Class.MODEL_NOT_FOUND),
    (407, b"", Class.AUTHENTICATION_FAILED),
    (408, openai(), Class.OUTCOME_UNKNOWN),
    (409, openai(), Class.PROVIDER_OVERLOADED),
    (410, openai(), Class.MODEL_NOT_FOUND),
    (413, HTML, Class.INVALID_REQUEST),
    (418, b"", Class.INVALID_REQUEST),
    (422, fastapi("must be positive", "greater_than"), Class.INVALID_REQUEST),
    (425, b"", Class.PROVIDER_OVERLOADED),
    (429, b"", Class.RATE_LIMITED),
    (429, {"detail": "Request was throttled.", "status": 429, "retry_after": 10}, Class.RATE_LIMITED),
    (451, b"", Class.CONTENT_REJECTED),
    (500, openai("The server had an error"), Class.PROVIDER_INTERNAL),
    (500, {"error": "text"}, Class.PROVIDER_INTERNAL),
    (500, {"detail": "text"}, Class.PROVIDER_INTERNAL),
    (500, {"error": "upstream timed out"}, Class.OUTCOME_UNKNOWN),
    (500, {"error": "no", "code": "generation_timeout"}, Class.OUTCOME_UNKNOWN),
    (500, {"message": "Internal server error"}, Class.OUTCOME_UNKNOWN),
    (500, {"error": None}, Class.OUTCOME_UNKNOWN),
    (500, b"Internal Server Error", Class.OUTCOME_UNKNOWN),
    (500, b'{"error": "cut', Class.OUTCOME_UNKNOWN),
    (500, b"[]", Class.OUTCOME_UNKNOWN),
    (500, HTML, Class.OUTCOME_UNKNOWN),
    (500, b"", Class.OUTCOME_UNKNOWN),
    (501, b"", Class.MODEL_NOT_FOUND),
    (502, HTML, Class.OUTCOME_UNKNOWN),
    (502, openai(), Class.OUTCOME_UNKNOWN),
    (503, openai(), Class.PROVIDER_OVERLOADED),
    (503, HTML, Class.PROVIDER_OVERLOADED),
    (504, HTML, Class.OUTCOME_UNKNOWN),
    (504, openai("gateway"), Class.OUTCOME_UNKNOWN),
    (520, HTML, Class.OUTCOME_UNKNOWN),
    (529, openai(), Class.PROVIDER_OVERLOADED),
    # --- success without an image ---
    (200, HTML, Class.PROTOCOL_ERROR),
    (200, {"data": []}, Class.PROTOCOL_ERROR),
    (204, b"", Class.PROTOCOL_ERROR),
    (200, {"error": "out of memory"}, Class.GENERATION_FAILED),
    (200, {"data": [], "message": "removed: content policy"}, Class.CONTENT_REJECTED),
    (200, {"data": [], "error": {"code": "content_filter", "message": "no"}}, Class.CONTENT_REJECTED),
]


@pytest.mark.parametrize(("status", "content", "expected"), SUBMIT)
def test_refused_submit(status: int, content: JsonValue | bytes, expected: FailureClass) -> None:
    failure, _ = read_refusal(reply(status, content), Phase.SUBMIT, now=NOW)
    assert failure.failure is expected
    assert (failure.service, failure.http_status) == ("svc", status)
    assert failure.message.startswith(f"HTTP {status}")


POLL = [
    (404, {"detail": "Task not found"}, Class.JOB_LOST),
    (410, b"", Class.JOB_LOST),
    (408, b"", Class.PROVIDER_INTERNAL),
    (500, HTML, Class.PROVIDER_INTERNAL),
    (502, b"", Class.PROVIDER_INTERNAL),
    (504, openai("timed out"), Class.PROVIDER_INTERNAL),
    (503, b"", Class.PROVIDER_OVERLOADED),
    (401, b"", Class.AUTHENTICATION_FAILED),
    (429, b"", Class.RATE_LIMITED),
]
DOWNLOAD = [
    (304, b"", Class.ARTIFACT_INVALID),
    (400, b"<Error><Code>ExpiredToken</Code></Error>", Class.ARTIFACT_EXPIRED),
    (401, b"", Class.AUTHENTICATION_FAILED),
    (403, b"<Error><Code>AccessDenied</Code></Error>", Class.ARTIFACT_EXPIRED),
    (404, openai(code="content_policy_violation"), Class.ARTIFACT_EXPIRED),
    (410, b"", Class.ARTIFACT_EXPIRED),
    (408, b"", Class.PROVIDER_INTERNAL),
    (429, b"", Class.RATE_LIMITED),
    (500, HTML, Class.PROVIDER_INTERNAL),
    (502, HTML, Class.PROVIDER_INTERNAL),
    (503, HTML, Class.PROVIDER_OVERLOADED),
]


@pytest.mark.parametrize(
    ("phase", "status", "content", "expected"),
    [(Phase.POLL, *row) for row in POLL] + [(Phase.DOWNLOAD, *row) for row in DOWNLOAD],
)
def test_refused_poll_and_download(phase: Phase, status: int, content: JsonValue | bytes, expected: Class) -> None:
    assert read_refusal(reply(status, content), phase, now=NOW)[0].failure is expected


@pytest.mark.parametrize(
    ("error", "submit", "later"),
    [
        (httpx.ConnectError("refused"), Class.CONNECT_FAILED, Class.CONNECT_FAILED),
        (httpx.ConnectTimeout(""), Class.CONNECT_FAILED, Class.CONNECT_FAILED),
        (httpx.PoolTimeout(""), Class.CONNECT_FAILED, Class.CONNECT_FAILED),
        (httpx.ReadTimeout(""), Class.OUTCOME_UNKNOWN, Class.PROVIDER_INTERNAL),
        (httpx.WriteTimeout(""), Class.OUTCOME_UNKNOWN, Class.PROVIDER_INTERNAL),
        (httpx.WriteError("reset"), Class.OUTCOME_UNKNOWN, Class.PROVIDER_INTERNAL),
        (httpx.ReadError("reset"), Class.OUTCOME_UNKNOWN, Class.PROVIDER_INTERNAL),
        (httpx.CloseError("reset"), Class.OUTCOME_UNKNOWN, Class.PROVIDER_INTERNAL),
        (httpx.RemoteProtocolError("gone"), Class.OUTCOME_UNKNOWN, Class.PROVIDER_INTERNAL),
        (httpx.DecodingError("not gzip"), Class.OUTCOME_UNKNOWN, Class.PROVIDER_INTERNAL),
        (TimeoutError(), Class.OUTCOME_UNKNOWN, Class.PROVIDER_INTERNAL),
    ],
)
def test_broken_exchange(error: Exception, submit: FailureClass, later: FailureClass) -> None:
    assert read_exception(error, Phase.SUBMIT, "svc", 9).failure is submit
    assert read_exception(error, Phase.POLL, "svc", 9).failure is later
    assert read_exception(error, Phase.DOWNLOAD, "svc", 9).failure is later


def test_a_timeout_names_its_length() -> None:
    assert read_exception(TimeoutError(), Phase.SUBMIT, "svc", 2.5).message == "no whole answer within 2.5 s"


@given(status=st.sampled_from([500, 502, 504, 507, 520, 524, 599]), body=st.text())
def test_no_text_of_a_proxy_proves_a_submit_unpaid(status: int, body: str) -> None:
    failure, _ = read_refusal(reply(status, f"<html>{body}".encode()), Phase.SUBMIT, now=NOW)
    assert failure.failure not in UNPAID - {Class.CONTENT_REJECTED, Class.CONCURRENCY_LIMITED}


@pytest.mark.parametrize(
    ("status", "content", "headers", "delay"),
    [
        (429, openai(), {"Retry-After": "2"}, 2),
        (429, openai(), {"x-ratelimit-reset-requests": "59.9s"}, 59.9),
        (429, {"detail": "throttled", "retry_after": 10}, {"x-ratelimit-reset-requests": "1s"}, 10),
        (503, b"", {"Retry-After": "7"}, 7),
        (500, openai(), {"x-ratelimit-reset-requests": "1s"}, None),
        (500, openai(), {"Retry-After": "3"}, 3),
        (400, openai(), {"Retry-After": "3"}, None),
        (429, openai(code="insufficient_quota"), {"Retry-After": "3"}, None),
    ],
)
def test_delay(status: int, content: JsonValue | bytes, headers: dict[str, str], delay: float | None) -> None:
    assert read_refusal(reply(status, content, headers), Phase.SUBMIT, now=NOW)[1] == delay


@pytest.mark.parametrize(
    ("status", "content", "message", "code"),
    [
        (400, openai("size is\n wrong", code="bad_size"), "HTTP 400: size is wrong", "bad_size"),
        (400, {"error": "too wide", "code": "SIZE"}, "HTTP 400: too wide", "SIZE"),
        (422, fastapi("must be positive", "greater_than"), "HTTP 422: body.steps: must be positive", "greater_than"),
        (404, {"detail": "Not Found"}, "HTTP 404: Not Found", None),
        (400, {"id": "1", "name": "bad", "errors": ["a", "b"]}, "HTTP 400: a; b", "bad"),
        (402, {"title": "Credit", "detail": "None left", "status": 402}, "HTTP 402: None left", None),
        (503, HTML, "HTTP 503: an HTML page", None),
        (503, b"", "HTTP 503: no content", None),
        (503, b"\xff", "HTTP 503: \ufffd", None),
        (500, {"message": "sorry"}, "HTTP 500: sorry", None),
        (500, {}, "HTTP 500: no error message", None),
        (200, b"<html>", "HTTP 200 without a usable image: an HTML page", None),
    ],
)
def test_what_an_operator_reads(status: int, content: JsonValue | bytes, message: str, code: str | None) -> None:
    failure, _ = read_refusal(reply(status, content), Phase.SUBMIT, now=NOW)
    assert (failure.message, failure.provider_code) == (message, code)


def test_a_redirect_says_where_to_and_what_to_do() -> None:
    headers = {"Location": "https://new.example/v1?signature=abcdef"}
    failure, _ = read_refusal(reply(308, b"", headers), Phase.SUBMIT, now=NOW)
    assert failure.message.startswith("HTTP 308 redirects to https://new.example/v1 (correct the service's base_url)")


@given(text=st.text(alphabet="ab \n\"'\\", max_size=5000), key=st.text(alphabet="xyz/\\", min_size=8))
def test_neither_secrets_nor_length_nor_lines_get_through(text: str, key: str) -> None:
    said = reply(500, openai(f"{text}{key}{text}", code=f"c{key}"), {"x-request-id": key.replace("\\", "/")})
    keys = (key, key.replace("\\", "/"))
    failure, _ = read_refusal(Reply("svc", 500, said.headers, said.body, keys), Phase.SUBMIT, now=NOW)
    assert not any(key in str(value) for value in failure.model_dump().values())
    assert len(failure.message) <= MESSAGE_LIMIT
    assert "\n" not in failure.message


def test_the_request_id_is_kept() -> None:
    failure, _ = read_refusal(reply(500, openai(), {"X-Request-Id": "req_1"}), Phase.SUBMIT, now=NOW)
    assert failure.provider_request_id == "req_1"
