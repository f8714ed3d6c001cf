"""One call to a test URL: heard by the API's caller and by `orchestrator listen`, started by nobody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import JsonValue
from temporalio.client import Client
from temporalio.service import RPCError

from contracts.dialects import DIALECTS
from tests.operations.commandline import CommandLine, Ran
from tests.starter.front import Front, event, fresh_id, make_settings, running_starter

NOT_LISTENING = "Click the 'Execute workflow' button on the canvas"
KEY = {"X-Api-Key": "made-up-webhook-key"}
TOKEN = "made-up-api-token"
API = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
async def testing(tmp_path_factory: pytest.TempPathFactory, temporal_client: Client) -> AsyncIterator[Front]:
    directory = tmp_path_factory.mktemp("starter")
    key = directory / "webhook-key"
    key.write_text(KEY["X-Api-Key"], encoding="utf-8")
    token = directory / "api-token"
    token.write_text(TOKEN, encoding="utf-8")
    auth = {"kind": "header", "name": "X-Api-Key", "secret": f"file:{key}"}
    routes = {
        "open": _route("some/open"),
        "guarded": _route("guarded", auth=auth),
        "asleep": _route("asleep", active=False, methods=["PUT"], response={"status": 202, "data": "queued"}),
        "tokens": _route("tokens", dialect="endpoint", security_token=f"file:{key}"),
        "byid": _route("orders/:id", webhook_id="w-1"),
    }
    async with running_starter(
        make_settings(directory, routes=routes, api={"auth": {"kind": "bearer", "secret": f"file:{token}"}}),
        temporal_client,
    ) as running:
        yield running


def _route(path: str, **more: object) -> dict[str, object]:
    callback = {"path": "/callback", "allowed_origins": ["https://other.example"]}
    return {"path": path, "dialect": "event", "odoo": "main", "services": ["main"], "callback": callback, **more}


async def listening(front: Front, path: str, **more: JsonValue) -> str:
    answer = await front.http.post("/api/listeners", json={"path": path, **more}, headers=API)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def looked(front: Front, listener: str) -> dict[str, Any]:
    report: dict[str, Any] = (await front.http.get(f"/api/listeners/{listener}", headers=API)).json()
    return report


async def tried(front: Front, path: str, body: JsonValue, **more: Any) -> httpx.Response:
    return await front.http.request(more.pop("method", "POST"), f"/webhook-test/{path}", json=body, **more)


async def test_a_call_is_answered_as_its_route_would_and_starts_nothing(testing: Front) -> None:
    body = event(callbackUrl="https://other.example/cb", userId="7", ignored=1)
    listener = await listening(testing, "some/open")
    answer = await tried(testing, "some/open?a=1&token=abcdef", body)
    call = (await looked(testing, listener))["call"]
    expected = DIALECTS["event"].acknowledge(DIALECTS["event"].parse(body).reference)
    assert (answer.status_code, answer.json()) == (200, expected)
    assert (call["route"], call["dialect"], call["method"]) == ("open", "event", "POST")
    assert (call["body"], call["query"]) == (body, {"a": "1", "token": "[redacted]"})
    assert call["fields"] == {"prompt": "a red fox", "user_id": "7"}
    assert (call["problems"], call["service"], call["callback_url"]) == ([], "main", "https://other.example/cb")
    assert (call["status"], json.loads(call["answer"])) == (200, expected)
    with pytest.raises(RPCError, match="not found"):
        await testing.workflow("open", str(body["requestId"])).describe()


async def test_the_second_call_finds_nobody_listening(testing: Front) -> None:
    listener = await listening(testing, "some/open")
    answers = [await tried(testing, "some/open", event()) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 404]
    assert NOT_LISTENING in answers[1].json()["hint"]
    assert (await looked(testing, listener))["standing"] == "heard"


async def test_of_several_calls_at_once_one_is_heard(testing: Front) -> None:
    await listening(testing, "some/open")
    answers = await asyncio.gather(*(tried(testing, "some/open", event()) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [404] * 7


async def test_problems_that_the_dialect_finds_are_named(testing: Front) -> None:
    listener = await listening(testing, "some/open")
    answer = await tried(testing, "some/open", {"requestId": "r-1", "seed": "many"})
    call = (await looked(testing, listener))["call"]
    assert (answer.status_code, call["fields"], call["request_id"]) == (200, {}, "r-1")
    assert any("seed" in problem for problem in call["problems"])
    assert any("prompt" in problem for problem in call["problems"])


async def test_what_is_turned_away_is_told_and_does_not_end_the_listening(testing: Front) -> None:
    listener = await listening(testing, "guarded")
    answers = [
        await tried(testing, "guarded", event()),
        await tried(testing, "guarded", event(), method="GET", headers=KEY),
        await testing.http.post("/webhook-test/guarded", content=b"{", headers={"Content-Type": "application/json"}),
        await tried(testing, "guarded", event(callbackUrl="https://evil.example"), headers=KEY),
        await tried(testing, "guarded", event(), headers=KEY),
    ]
    report = await looked(testing, listener)
    assert [answer.status_code for answer in answers] == [403, 404, 422, 422, 200]
    assert [refused["status"] for refused in report["refused"]] == [403, 404, 422, 422]
    assert report["call"]["status"] == 200


async def test_no_secret_is_shown(testing: Front) -> None:
    listener = await listening(testing, "tokens")
    body: dict[str, JsonValue] = {
        "ai_generation_request_id": fresh_id(),
        "params": {"prompt": f"a fox {KEY['X-Api-Key']}", "api_key": "abcdef"},
        "odoo_callback_url": "https://odoo.example/cb",
        "security_token": KEY["X-Api-Key"],
    }
    headers = {"Authorization": "Bearer abc", "Cookie": "session=abc", "X-Other": "seen"}
    assert (await tried(testing, "tokens", body, headers=headers)).status_code == 200
    call = (await looked(testing, listener))["call"]
    shown = dict(call["headers"])
    assert (shown["authorization"], shown["cookie"], shown["x-other"]) == ("[redacted]", "[redacted]", "seen")
    assert KEY["X-Api-Key"] not in json.dumps(call)
    assert call["body"]["params"]["api_key"] == call["body"]["security_token"] == "[redacted]"


async def test_a_route_that_is_not_active_can_be_tried_with_its_own_answer(testing: Front) -> None:
    await listening(testing, "asleep")
    answer = await tried(testing, "asleep", event(), method="PUT")
    assert (answer.status_code, answer.text) == (202, "queued")


@pytest.mark.parametrize("path", ["anything/else", "w-1/orders/42"])
async def test_a_named_route_may_be_tried_on_any_path(testing: Front, path: str) -> None:
    listener = await listening(testing, path, route="byid")
    assert (await tried(testing, path, event())).status_code == 200
    assert (await looked(testing, listener))["call"]["route"] == "byid"


async def test_the_newest_listener_has_the_path(testing: Front) -> None:
    older = await listening(testing, "some/open")
    newer = await listening(testing, "/some/open/")
    assert (await looked(testing, older))["standing"] == "over"
    await tried(testing, "some/open", event())
    assert (await looked(testing, newer))["standing"] == "heard"


async def test_the_time_is_limited_and_closing_ends_it(testing: Front) -> None:
    short = await listening(testing, "some/open", seconds=0.05)
    assert (await looked(testing, short))["standing"] == "over"
    closed = await listening(testing, "some/open")
    await testing.http.delete(f"/api/listeners/{closed}", headers=API)
    gone = await testing.http.get(f"/api/listeners/{closed}", headers=API)
    assert (gone.status_code, (await tried(testing, "some/open", event())).status_code) == (404, 404)


@pytest.mark.parametrize(
    ("order", "status", "message"),
    [
        ({"path": "some/opne"}, 404, "No route has this path; did you mean 'some/open'?"),
        ({"path": "x", "route": "opem"}, 404, "There is no route 'opem'; did you mean 'open'?"),
        ({"path": "some/open", "seconds": 0}, 422, "seconds: "),
        ({"path": "some/open", "seconds": 99_999}, 422, "seconds: "),
        ({"path": ""}, 422, "path: "),
        ({}, 422, "path: "),
        ([], 422, "Failed to parse request body"),
    ],
)
async def test_a_wrong_order_is_answered_in_one_line(
    testing: Front, order: JsonValue, status: int, message: str
) -> None:
    answer = await testing.http.post("/api/listeners", json=order, headers=API)
    assert (answer.status_code, message in answer.json()["message"]) == (status, True)


async def test_only_who_has_the_api_s_credentials_may_listen(testing: Front) -> None:
    refused = await testing.http.post("/api/listeners", json={"path": "some/open"})
    assert refused.status_code == 403
    assert (await tried(testing, "some/open", event())).status_code == 404


async def test_nobody_may_listen_where_the_interface_is_off(tmp_path: Path, temporal_client: Client) -> None:
    async with running_starter(make_settings(tmp_path, api={}), temporal_client) as front:
        answer = await front.http.post("/api/listeners", json={"path": "dialect/event"}, headers=API)
    assert (answer.status_code, answer.json()["message"][:22]) == (404, "This interface is off:")


@pytest.fixture
def line(tmp_path: Path, testing: Front) -> CommandLine:
    """The command line with a configuration that finds the starter."""
    (tmp_path / "api-token").write_text(TOKEN, encoding="utf-8")
    (tmp_path / "orchestrator.toml").write_text(
        f'[starter]\npublic_base_url = "{testing.url}"\n[api]\nauth = {{kind = "bearer", secret = "file:api-token"}}\n',
        encoding="utf-8",
    )
    return CommandLine(tmp_path)


async def ran_listening(line: CommandLine, front: Front, *arguments: str) -> Ran:
    """What the command leaves behind after one refused and one good call."""
    process = await line.start("listen", *arguments)
    assert process.stderr is not None
    first = (await process.stderr.readline()).decode()
    base_url = front.settings.starter.public_base_url
    assert first == f"listening for 60 s: POST {base_url}/webhook-test/guarded\n"
    await tried(front, "guarded", event())
    await tried(front, "guarded", event(requestId="r-heard"), headers=KEY)
    out, err = await process.communicate()
    return Ran(process.returncode or 0, out.decode(), first + err.decode())


async def test_the_command_prints_what_came_and_how_it_was_read(line: CommandLine, testing: Front) -> None:
    ran = await ran_listening(line, testing, "/webhook-test/guarded", "--seconds", "60")
    assert ran.code == 0, ran.err
    for shown in ("POST /webhook-test/guarded", '"requestId": "r-heard"', "Read as dialect event", "a red fox"):
        assert shown in ran.out
    assert "turned away: POST got 403 Authorization data is wrong! (refused_credentials)" in ran.err
    assert KEY["X-Api-Key"] not in ran.out + ran.err


async def test_the_command_prints_one_document(line: CommandLine, testing: Front) -> None:
    ran = await ran_listening(line, testing, "guarded", "--seconds", "60", "--json")
    assert (ran.code, ran.document["call"]["request_id"]) == (0, "r-heard")
    assert [refused["status"] for refused in ran.document["refused"]] == [403]


async def test_the_command_ends_by_itself_where_nothing_comes(line: CommandLine) -> None:
    ran = await line.run("listen", "some/open", "--seconds", "0.2")
    assert (ran.code, ran.out, ran.err.splitlines()[-1]) == (3, "", "nothing came in time")


@pytest.mark.parametrize(
    ("arguments", "changes", "said"),
    [
        (("some/opne",), {}, "refused: No route has this path; did you mean 'some/open'?"),
        (("some/open", "--url", "http://127.0.0.1:9"), {}, "http://127.0.0.1:9 cannot be reached"),
        (("some/open",), {"ORCHESTRATOR__API__AUTH__SECRET": "env:WRONG", "WRONG": "wrong"}, "refused: Authorization"),
        (("some/open",), {"ORCHESTRATOR__API__AUTH__SECRET": "env:NOWHERE"}, "the secret env:NOWHERE is missing"),
    ],
)
async def test_what_goes_wrong_is_one_line(
    line: CommandLine, arguments: tuple[str, ...], changes: dict[str, str], said: str
) -> None:
    ran = await line.run("listen", *arguments, **changes)
    assert ran.code != 0
    assert said in ran.err
    assert (ran.out, len(ran.err.splitlines())) == ("", 1)
