from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from contracts.dialects import CALLBACK_DIALECTS, DIALECTS, CallbackFacts, DeliveredImage
from contracts.errors import FailureClass
from contracts.identity import idempotency_key
from contracts.requests import DeliverInput, DeliveryReceipt, RequestReference
from tests.activities.doubles import OTHER_PICTURE, PICTURE
from tests.activities.post import (
    EXPIRES_AT,
    FAILED,
    FAILURE,
    IMAGES,
    PUBLIC,
    SECRETS,
    SUCCESS,
    Post,
    letter,
    posting,
)
from tests.activities.series import failure_of
from tests.services.calls import TRACEPARENT
from tests.services.scripted import Script

dialects = pytest.mark.parametrize("dialect", sorted(CALLBACK_DIALECTS))


def sent(post: Post, number: int = -1) -> dict[str, Any]:
    """The content of a callback, without its envelope."""
    content: dict[str, Any] = json.loads(post.odoo.received[number].body)
    params: dict[str, Any] = content.get("params", content)
    return params


def rendered(call: DeliverInput) -> dict[str, Any]:
    dialect, generated = DIALECTS[call.reference.dialect], call.outcome.generated
    token = SECRETS["token"] if call.reference.dialect == "endpoint" else None
    facts = CallbackFacts(execution_id="run-1", security_token=token)
    if generated is None:
        return dialect.render_failure(call.reference, FAILED, facts)
    pictures = zip(generated.images, (PICTURE, OTHER_PICTURE), strict=True)
    images = [DeliveredImage(image, base64=base64.b64encode(data).decode()) for image, data in pictures]
    return dialect.render_success(call.reference, IMAGES, images, facts)


@dialects
async def test_a_callback_has_these_headers_and_no_others(dialect: str, post: Post) -> None:
    assert await post.delivering(letter(dialect, 3)).attempt() == DeliveryReceipt(http_status=200)
    (request,) = post.odoo.received
    ours = {
        "content-type": "application/json",
        "idempotency-key": "request-7:3",
        "x-correlation-id": "request-7",
        "traceparent": TRACEPARENT,
        DIALECTS[dialect].callback_header.lower(): SECRETS["callback"],
        "user-agent": "odoo-image-orchestrator",
    }
    https = {"host", "accept", "accept-encoding", "connection", "content-length"}
    assert {name: value for name, value in request.headers.items() if name not in https} == ours
    assert (request.method, request.path) == ("POST", f"/odoo/callback/{dialect}")


@dialects
@pytest.mark.parametrize("outcome", [SUCCESS, FAILURE], ids=["success", "failure"])
async def test_a_callback_is_what_the_dialect_says(dialect: str, outcome: Any, post: Post) -> None:
    call = letter(dialect, outcome=outcome)
    await post.delivering(call).attempt()
    assert sent(post) == rendered(call)
    envelope = set(json.loads(post.odoo.received[0].body)) == {"jsonrpc", "method", "id", "params"}
    assert envelope == (DIALECTS[dialect].envelope == "jsonrpc")


@dialects
@pytest.mark.parametrize("images", ["inline", "url"])
async def test_tries_and_redrives_post_the_same_bytes_under_the_same_key(dialect: str, images: str, post: Post) -> None:
    post.odoo.play(*[Script(503)] * 3, Script(401), Script(200, b'{"result": {}}'))
    call = letter(dialect, images=images)
    await post.delivering(call.model_copy(update={"quick": True})).failing()
    tried = post.delivering(call)
    for _ in range(3):
        await tried.failing()
    async with posting(post.directory) as restarted:
        await restarted.delivering(call).attempt()
        requests = [*post.odoo.received, *restarted.odoo.received]
    assert len(requests) == 5
    assert len({request.body for request in requests}) == 1
    assert {request.headers["idempotency-key"] for request in requests} == {"request-7:1"}


async def test_what_a_reconciliation_posts_again_names_the_execution_of_the_request(post: Post) -> None:
    await post.delivering(letter("adapter")).attempt()
    await post.delivering(letter("adapter", execution_id="run-of-the-request")).attempt()
    assert [sent(post, number)["n8n_execution_id"] for number in (0, 1)] == ["run-1", "run-of-the-request"]


async def test_another_outcome_has_another_key_and_another_rpc_id(post: Post) -> None:
    for number in (1, 2):
        await post.delivering(letter("adapter", number, outcome=FAILURE)).attempt()
    first, second = post.odoo.received
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]
    assert json.loads(first.body)["id"] != json.loads(second.body)["id"]


@pytest.mark.parametrize("request_id", ["line\nbreak", "snow\N{SNOWMAN}", "x" * 5000, " blank "])
async def test_any_request_id_makes_legal_headers_and_stays_itself_in_the_body(request_id: str, post: Post) -> None:
    await post.delivering(letter(reference=RequestReference(request_id=request_id, dialect="event"))).attempt()
    (request,) = post.odoo.received
    assert request.headers["idempotency-key"] == idempotency_key(request_id, 1)
    assert request.headers["x-correlation-id"].startswith("sha256-")
    assert sent(post)["requestId"] == request_id


async def test_an_image_by_url_is_signed_until_the_fixed_time(post: Post) -> None:
    await post.delivering(letter("event", images="url")).attempt()
    url = sent(post)["imageUrl"]
    assert url.startswith(f"{PUBLIC}/images/{IMAGES.images[0].sha256}?expires={EXPIRES_AT}&signature=")


async def test_the_token_in_a_body_is_the_routes_own_and_never_the_incoming_one(post: Post) -> None:
    await post.delivering(letter("endpoint")).attempt()
    assert sent(post)["security_token"] == SECRETS["token"]
    assert SECRETS["incoming"].encode() not in post.odoo.received[0].body


async def test_the_callback_url_of_the_request_goes_before_the_routes_path(post: Post) -> None:
    await post.delivering(letter(callback_url=f"{post.odoo.url}/elsewhere?record=5")).attempt()
    assert post.odoo.received[0].path == "/elsewhere?record=5"


async def test_a_rotated_secret_is_used_at_once(post: Post) -> None:
    await post.delivering(letter()).attempt()
    (post.directory / "callback").write_text("made-up-rotated-0123456789", encoding="utf-8")
    await post.delivering(letter()).attempt()
    assert post.odoo.received[1].headers["x-api-key"] == "made-up-rotated-0123456789"


async def test_a_cookie_of_one_callback_is_not_sent_with_the_next(post: Post) -> None:
    post.odoo.play(Script(200, headers={"Set-Cookie": "session_id=made-up; Path=/"}))
    for _ in range(2):
        await post.delivering(letter()).attempt()
    assert "cookie" not in post.odoo.received[1].headers


async def test_an_image_that_is_gone_is_named_and_asked_for_again(post: Post) -> None:
    digest = IMAGES.images[0].sha256
    (file,) = (post.directory / "store").rglob(digest)
    file.unlink()
    tried = post.delivering(letter())
    error = await tried.failing()
    assert (error.non_retryable, failure_of(error).failure) == (False, FailureClass.INTERNAL)
    assert digest in failure_of(error).message
    await post.records.put_image(PICTURE)
    await tried.attempt()
    assert len(post.odoo.received) == 1


@pytest.mark.parametrize(
    ("secret", "call"),
    [("callback", letter()), ("token", letter("endpoint")), ("signing", letter(images="url"))],
    ids=["callback", "token", "signing"],
)
async def test_a_missing_secret_is_named_by_its_reference(secret: str, call: DeliverInput, post: Post) -> None:
    (post.directory / secret).unlink()
    error = await post.delivering(call).failing()
    assert (error.non_retryable, failure_of(error).failure) == (True, FailureClass.CALLBACK_REFUSED)
    assert f"file:{post.directory}/{secret}" in failure_of(error).message
    assert not post.odoo.received


@pytest.mark.parametrize("call", [letter(route="gone"), letter(odoo="gone")], ids=["route", "odoo"])
async def test_a_route_or_an_odoo_that_was_removed_is_named(call: DeliverInput, post: Post) -> None:
    error = await post.delivering(call).failing()
    assert (error.non_retryable, failure_of(error).failure) == (True, FailureClass.CALLBACK_REFUSED)
    assert "'gone'" in failure_of(error).message
