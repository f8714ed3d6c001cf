from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping

import pytest
from pydantic import JsonValue

from contracts.errors import FailureClass
from tests.activities.post import POLICY, SECRETS, Post, letter, posting
from tests.activities.series import delay_s, failure_of
from tests.services.scripted import Script

CALLBACK = SECRETS["callback"]
WRONG: dict[str, JsonValue] = {"name": "odoo.exceptions.AccessDenied", "message": f"{CALLBACK} is not the key"}
ECHOES: Mapping[str, Script] = {
    "json": Script(401, json.dumps({"error": f"bad key {CALLBACK}"}).encode()),
    "later": Script(503, json.dumps({"error": f"bad key {CALLBACK}"}).encode()),
    "at the cut": Script(401, json.dumps({"error": "x" * 185 + CALLBACK}).encode()),
    "in 200": Script(200, json.dumps({"error": {"code": 200, "data": WRONG}}).encode()),
    "result": Script(200, json.dumps({"result": {"status": "error", "message": f"no {SECRETS['token']}"}}).encode()),
    "escaped": Script(401, json.dumps({"error": CALLBACK}).replace("made", "\\u006dade").encode()),
    "text": Script(400, CALLBACK.encode()),
}


async def test_a_refusal_ends_the_delivery_at_once(post: Post) -> None:
    post.odoo.answer({"error": "no such record"}, status=422)
    error = await post.delivering(letter()).failing()
    assert (error.non_retryable, failure_of(error).failure) == (True, FailureClass.CALLBACK_REFUSED)
    assert failure_of(error).message == "HTTP 422: no such record"
    assert failure_of(error).http_status == 422


@pytest.mark.parametrize("script", [Script(503), Script(500, b"<html>"), Script(then="drop"), Script(200, then="cut")])
async def test_an_odoo_that_is_not_well_is_tried_again(script: Script, post: Post) -> None:
    post.odoo.play(script, Script(200))
    tried = post.delivering(letter())
    error = await tried.failing()
    assert failure_of(error).failure is FailureClass.CALLBACK_UNDELIVERABLE
    assert 1 <= delay_s(error) <= 2
    await tried.attempt()


async def test_an_odoo_that_is_not_there_is_tried_again(post: Post) -> None:
    error = await post.delivering(letter(callback_url="http://127.0.0.1:9/")).failing()
    assert failure_of(error).failure is FailureClass.CALLBACK_UNDELIVERABLE
    assert not error.non_retryable


@pytest.mark.parametrize("status", [429, 503])
async def test_a_named_time_is_kept(status: int, post: Post) -> None:
    post.odoo.play(Script(status, headers={"Retry-After": "77"}))
    assert 77 <= delay_s(await post.delivering(letter()).failing()) <= 78
    quick = await post.delivering(letter(quick=True)).failing()
    assert quick.details[1] == 77


async def test_a_record_that_is_not_there_yet_gets_fifteen_minutes(post: Post) -> None:
    post.odoo.play(Script(404))
    tried = post.delivering(letter())
    began = tried.now
    error = await tried.failing()
    while not error.non_retryable:
        error = await tried.failing()
    assert "Still so after 15 minutes." in failure_of(error).message
    assert 900 <= (tried.now - began).total_seconds() < 900 + POLICY.maximum_s


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(status: int, post: Post) -> None:
    post.odoo.play(Script(status, headers={"Location": f"{post.odoo.url}/stolen"}))
    error = await post.delivering(letter()).failing()
    assert failure_of(error).failure is FailureClass.CALLBACK_REFUSED
    assert [request.path for request in post.odoo.received] == ["/odoo/callback/event"]


async def test_an_answer_without_end_is_not_read_to_its_end(post: Post) -> None:
    post.odoo.play(Script(503, then="endless"))
    assert failure_of(await post.delivering(letter()).failing()).message == "HTTP 503"
    post.odoo.play(Script(200, then="endless"))
    await post.delivering(letter()).attempt()


async def test_a_huge_answer_says_no_more_than_a_line(post: Post) -> None:
    post.odoo.answer({"error": "x" * 60_000}, status=400)
    assert len(failure_of(await post.delivering(letter()).failing()).message) < 300


@pytest.mark.parametrize("drips", [False, True])
async def test_the_time_for_an_attempt_is_for_all_of_it(drips: bool, post: Post) -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not writer.is_closing():
                writer.write(b"x" if drips else b"")
                await writer.drain()
                await asyncio.sleep(0.05)

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        policy = POLICY.model_copy(update={"timeout_s": 0.4})
        error = await post.delivering(letter(callback_url=url, policy=policy)).failing()
    assert failure_of(error).message == "no whole answer within 0.4 s"
    assert not error.non_retryable


@pytest.mark.parametrize("echo", ECHOES)
async def test_an_odoo_that_repeats_our_secrets_does_not_bring_them_into_a_history(echo: str, post: Post) -> None:
    post.odoo.play(ECHOES[echo])
    for call in (letter("endpoint"), letter("endpoint", quick=True)):
        error = await post.delivering(call).failing()
        told = repr(error) + failure_of(error).model_dump_json()
        for secret in (CALLBACK, SECRETS["token"]):
            assert secret[:12] not in told
            assert secret[-8:] not in told


async def test_a_secret_that_no_header_can_carry_is_named_and_not_shown(post: Post) -> None:
    (post.directory / "callback").write_text("made-up\u00e9secret-0123456789", encoding="utf-8")
    failure = failure_of(await post.delivering(letter()).failing())
    assert failure.failure is FailureClass.CALLBACK_REFUSED
    assert f"file:{post.directory}/callback" in failure.message
    assert "made-up" not in failure.message.replace(str(post.directory), "")


async def test_a_secret_with_blanks_around_it_is_named_and_not_shown(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MADE_UP_SECRET", " made-up-blank-0123456789 ")
    auth = {"kind": "header", "name": "X-Api-Key", "secret": "env:MADE_UP_SECRET"}
    async with posting(post.directory, event={"auth": auth}) as blank:
        failure = failure_of(await blank.delivering(letter()).failing())
    assert failure.failure is FailureClass.CALLBACK_REFUSED
    assert "env:MADE_UP_SECRET" in failure.message
    assert "made-up-blank" not in failure.message
