"""Callbacks that are signed as Standard Webhooks describes it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from contracts.errors import FailureClass
from contracts.identity import idempotency_key
from tests.activities.post import Post, letter, posting
from tests.activities.series import failure_of
from tests.services.scripted import Received

SIGNING = "whsec_" + base64.b64encode(b"made-up-signing-secret-0123456789").decode()
NAMES = ("webhook-id", "webhook-timestamp", "webhook-signature")


@pytest.fixture
async def signing(tmp_path: Path) -> AsyncIterator[Post]:
    auth = {"kind": "signature", "secret": f"file:{tmp_path}/sign"}
    (tmp_path / "sign").write_text(SIGNING, encoding="utf-8")
    async with posting(tmp_path, event={"auth": auth}, adapter={"auth": auth}) as running:
        yield running


def verify(request: Received, body: bytes | None = None) -> None:
    named = {name: request.headers[name] for name in NAMES}
    Webhook(SIGNING).verify(request.body if body is None else body, named, json_parse=False)


@pytest.mark.parametrize("dialect", ["event", "adapter"])
async def test_the_signature_covers_the_exact_body_under_the_idempotency_key(dialect: str, signing: Post) -> None:
    call = letter(dialect, 3)
    await signing.delivering(call).attempt()
    (request,) = signing.odoo.received
    verify(request)
    with pytest.raises(WebhookVerificationError):
        verify(request, request.body + b" ")
    assert request.headers["webhook-id"] == idempotency_key("request-7", 3) == request.headers["idempotency-key"]
    assert int(request.headers["webhook-timestamp"]) <= datetime.now(UTC).timestamp()
    assert "authorization" not in request.headers


async def test_a_body_beyond_ascii_is_signed_as_its_bytes_are(signing: Post) -> None:
    reference = letter("event").reference.model_copy(update={"request_id": "réquest £ 7"})
    await signing.delivering(letter("event", reference=reference)).attempt()
    (request,) = signing.odoo.received
    assert "réquest £ 7".encode() in request.body
    verify(request)


async def test_every_attempt_signs_the_same_body_anew(signing: Post) -> None:
    signing.odoo.answer({"error": "down"}, 503)
    series = signing.delivering(letter("event"))
    await series.failing()
    await series.failing()
    first, second = signing.odoo.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    verify(first)
    verify(second)


@pytest.mark.parametrize("echo", [SIGNING, SIGNING.removeprefix("whsec_")])
async def test_an_odoo_that_repeats_the_signing_secret_does_not_bring_it_into_a_history(
    echo: str, signing: Post
) -> None:
    signing.odoo.answer({"error": f"no key {echo}"}, 401)
    error = await signing.delivering(letter("event")).failing()
    assert echo not in str(error.details)
    assert failure_of(error).failure is FailureClass.CALLBACK_REFUSED


@pytest.mark.parametrize("wrong", ["", "abcde", "whsec_"])
async def test_a_secret_that_cannot_sign_is_named_and_not_shown(wrong: str, signing: Post) -> None:
    (signing.directory / "sign").write_text(wrong, encoding="utf-8")
    error = await signing.delivering(letter("event")).failing()
    failure = failure_of(error)
    assert (error.non_retryable, failure.failure) == (True, FailureClass.CALLBACK_REFUSED)
    assert f"file:{signing.directory}/sign" in failure.message
    assert not signing.odoo.received
