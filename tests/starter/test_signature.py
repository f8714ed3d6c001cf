"""Bodies that are signed as Standard Webhooks describes it, over a real socket."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import JsonValue
from standardwebhooks import Webhook
from structlog.testing import capture_logs
from temporalio.client import Client

from starter.access.signatures import SeenMessages
from tests.starter.front import Front, event, fresh_id, make_settings, running_starter

OLD = "whsec_" + base64.b64encode(b"made-up-old-signing-secret").decode()
NEW = base64.b64encode(b"made-up-new-signing-secret").decode()
OTHER = base64.b64encode(b"nobody-has-told-us-this-one").decode()


@pytest.fixture(scope="module")
async def signed(tmp_path_factory: pytest.TempPathFactory, temporal_client: Client) -> AsyncIterator[Front]:
    directory = tmp_path_factory.mktemp("starter")
    for name, secret in {"old": OLD, "new": NEW, "broken": "abcde"}.items():
        (directory / name).write_text(secret, encoding="utf-8")
    secrets = [f"file:{directory / 'old'}", f"file:{directory / 'new'}"]
    routes = {
        "signed": _route("signed", secret=secrets),
        "narrow": _route("narrow", secret=secrets, tolerance_s=20),
        "broken": _route("broken", secret=f"file:{directory / 'broken'}"),
    }
    async with running_starter(make_settings(directory, routes=routes), temporal_client) as running:
        yield running


def _route(path: str, **auth: object) -> dict[str, object]:
    return {
        "path": path,
        "dialect": "event",
        "odoo": "main",
        "services": ["main"],
        "auth": {"kind": "signature", **auth},
        "callback": {"path": "/callback"},
    }


def sign(body: bytes, *, secret: str = NEW, message_id: str | None = None, ago_s: float = 0) -> dict[str, str]:
    moment = datetime.now(UTC) - timedelta(seconds=ago_s)
    message_id = message_id or fresh_id()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, moment, body.decode()),
    }


def written(**changes: JsonValue) -> bytes:
    return json.dumps(event(**changes)).encode()


async def post(front: Front, body: bytes, headers: Mapping[str, str], path: str = "signed") -> httpx.Response:
    return await front.http.post(
        f"/webhook/{path}", content=body, headers={"Content-Type": "application/json", **headers}
    )


@pytest.mark.parametrize("secret", [OLD, NEW])
async def test_a_body_signed_with_either_live_secret_is_taken(signed: Front, secret: str) -> None:
    body = written(prompt="g\u00fcte")
    answer = await post(signed, body, sign(body, secret=secret))
    assert answer.status_code == 200


async def test_one_good_signature_among_several_is_enough(signed: Front) -> None:
    body = written()
    headers = sign(body)
    many = f"v1a,bm90IG91cnM= v1,{base64.b64encode(b'wrong').decode()} {headers['webhook-signature']}"
    assert (await post(signed, body, {**headers, "webhook-signature": many})).status_code == 200


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
async def test_without_one_of_the_three_headers_the_caller_is_asked_for_them(signed: Front, name: str) -> None:
    body = written()
    headers = {header: value for header, value in sign(body).items() if header != name}
    answer = await post(signed, body, headers)
    assert (answer.status_code, answer.text) == (401, "No signature provided")
    assert answer.headers["www-authenticate"] == 'Basic realm="Webhook"'


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"webhook-id": "another"}, "invalid signature"),
        ({"webhook-signature": "v1,c2hvcnQ="}, "invalid signature"),
        ({"webhook-signature": "v2,c2hvcnQ="}, "invalid signature"),
        ({"webhook-signature": "v1,not base64"}, "signature malformed"),
        ({"webhook-signature": "v1"}, "signature malformed"),
        ({"webhook-signature": "v1,a," * 20}, "signature malformed"),
        ({"webhook-signature": " ".join(["v1,YQ=="] * 20)}, "signature malformed"),
        ({"webhook-timestamp": "soon"}, "signature malformed"),
        ({"webhook-timestamp": "nan"}, "signature malformed"),
        ({"webhook-timestamp": "9" * 40}, "signature malformed"),
        ({"webhook-id": "a" * 300}, "signature malformed"),
    ],
)
async def test_what_does_not_fit_is_forbidden_in_one_line(signed: Front, changes: dict[str, str], reason: str) -> None:
    body = written()
    answer = await post(signed, body, {**sign(body), **changes})
    assert (answer.status_code, answer.text) == (403, reason)


async def test_another_body_or_an_unknown_secret_is_forbidden(signed: Front) -> None:
    body = written()
    changed = await post(signed, body.replace(b"fox", b"cat"), sign(body))
    unknown = await post(signed, body, sign(body, secret=OTHER))
    assert [(answer.status_code, answer.text) for answer in (changed, unknown)] == [(403, "invalid signature")] * 2


@pytest.mark.parametrize(("path", "ago_s"), [("signed", 400), ("signed", -400), ("narrow", 60), ("narrow", -60)])
async def test_a_timestamp_outside_the_route_s_tolerance_is_forbidden(signed: Front, path: str, ago_s: float) -> None:
    body = written()
    answer = await post(signed, body, sign(body, ago_s=ago_s), path)
    assert (answer.status_code, answer.text) == (403, "signature timestamp outside the tolerance")


async def test_inside_the_tolerance_clocks_may_differ(signed: Front) -> None:
    body = written()
    assert (await post(signed, body, sign(body, ago_s=200))).status_code == 200


async def test_the_sender_s_own_retry_passes_and_starts_nothing(signed: Front) -> None:
    body = written()
    headers = sign(body)
    before = await signed.counted("deduplicated", "signed")
    answers = [await post(signed, body, headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert await signed.counted("deduplicated", "signed") == before + 1


async def test_an_id_with_another_body_is_forbidden_even_if_signed_well(signed: Front) -> None:
    message_id = fresh_id()
    first, second = written(), written()
    answers = [await post(signed, body, sign(body, message_id=message_id)) for body in (first, second, first)]
    told = [(answer.status_code, answer.text[:40]) for answer in answers]
    assert told[1] == (403, "webhook-id was used for another body")
    assert [status for status, _ in told] == [200, 403, 200]


async def test_the_same_id_on_another_route_is_another_message(signed: Front) -> None:
    message_id = fresh_id()
    bodies = {"signed": written(), "narrow": written()}
    answers = [await post(signed, body, sign(body, message_id=message_id), path) for path, body in bodies.items()]
    assert [answer.status_code for answer in answers] == [200, 200]


async def test_two_lines_of_one_header_are_malformed(signed: Front) -> None:
    body = written()
    headers = [*sign(body).items(), ("webhook-id", "second")]
    answer = await signed.http.post("/webhook/signed", content=body, headers=headers)
    assert (answer.status_code, answer.text) == (403, "signature malformed")


async def test_the_body_is_judged_as_it_came_not_as_it_was_read(signed: Front) -> None:
    body = written()
    spaced = json.dumps(json.loads(body), indent=1).encode()
    assert (await post(signed, spaced, sign(body))).status_code == 403


async def test_a_secret_of_ours_that_is_none_is_our_fault(signed: Front) -> None:
    body = written()
    with capture_logs() as logs:
        answer = await post(signed, body, sign(body), "broken")
    assert answer.status_code == 503
    assert "whsec_" in next(log["reason"] for log in logs if log["event"] == "secret_missing")


async def test_no_signature_reaches_a_log(signed: Front) -> None:
    body = written()
    headers = sign(body, secret=OTHER)
    with capture_logs() as logs:
        await post(signed, body, headers)
        await post(signed, body, sign(body))
    assert headers["webhook-signature"].partition(",")[2] not in str(logs)


def test_ids_are_remembered_as_long_as_they_could_be_replayed_and_no_longer() -> None:
    seen = SeenMessages()
    assert not seen.is_replay("r", "id", "one", now=100, until=400)
    assert seen.is_replay("r", "id", "two", now=399, until=700)
    assert not seen.is_replay("r", "id", "two", now=400, until=700)


def test_the_memory_of_ids_is_bounded(tmp_path: Path) -> None:
    seen = SeenMessages(limit=3)
    for number in range(5):
        assert not seen.is_replay("r", str(number), "one", now=0, until=10)
    assert [seen.is_replay("r", str(number), "two", now=1, until=10) for number in (4, 3, 0)] == [True, True, False]
