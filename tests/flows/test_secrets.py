"""No secret reaches a log, a history, a memo, a search attribute or the store, not even where everyone repeats it."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata

from contracts import names
from operations.bodies import Ask, body_of
from operations.demo.configuration import BASIC_USER, ROUTES, DemoRoute, write_configuration
from operations.demo.requests import webhook_headers
from operations.local.serving import listening
from operations.stack import Stack, StandIns
from runtime.configuration import load_settings, secret_references
from runtime.embedded import EmbeddedServer, free_ports
from runtime.secrets import resolve
from tests.flows.echo import WAYS, create_app

MARKS = ("", *(f"{who}:{way}." for who in ("image", "odoo") for way in WAYS))
PIECE = 10
"""Characters of a secret that are as bad as all of it: a cut or a mask may leave a part."""


@dataclass(frozen=True)
class Guarded:
    """A site of real processes in which every secret is another one, after it has had every kind of trouble."""

    directory: Path
    stack: Stack
    secrets: Mapping[str, str]
    """By the setting that refers to it."""

    @property
    def pieces(self) -> dict[bytes, str]:
        """What must not be found -> whose piece it is."""
        found = {piece: name for name, value in self.secrets.items() for piece in (value[:PIECE], value[-PIECE:])}
        for name, value in self.secrets.items():
            pair = base64.b64encode(f"{BASIC_USER}:{value}".encode()).decode()
            found |= {pair[-2 * PIECE : -PIECE]: f"{name}, as Basic"}
        return {piece.encode(): name for piece, name in found.items()}

    def leaks(self, content: bytes) -> set[str]:
        """Whose secrets stand in these bytes."""
        return {name for piece, name in self.pieces.items() if piece in content}

    def lines(self, program: str) -> list[dict[str, Any]]:
        """What a program logged, line by line."""
        log = (self.directory / "logs" / f"{program}.log").read_text(encoding="utf-8")
        return [json.loads(line) for line in log.splitlines() if line.startswith("{")]

    async def executions(self) -> list[Any]:
        """A handle for every request."""
        client = self.stack.client
        return [client.get_workflow_handle(one.id) async for one in client.list_workflows("Stage IS NOT NULL")]


def with_secrets_of_their_own(directory: Path, config: Path) -> None:
    """Give every reference in the configuration another secret; let nothing be retried for long."""
    text = config.read_text(encoding="utf-8")
    numbers = iter(range(1000))

    def planted(_reference: re.Match[str]) -> str:
        path = directory / "secrets" / f"planted-{next(numbers)}"
        path.write_text(secrets.token_hex(20), encoding="utf-8")
        return f'"file:{path}"'

    text = re.sub(r'"file:[^"]+"', planted, text)
    text = text.replace("initial_s = 0.5, maximum_s = 5", "initial_s = 0.05, maximum_s = 0.05, attempts = 2")
    config.write_text(text, encoding="utf-8")


async def post(http: httpx.AsyncClient, guarded: Guarded, route: DemoRoute, mark: str, odoo: str) -> httpx.Response:
    """A request as Odoo posts it, its secrets in place."""
    named = guarded.secrets
    own = f"routes.{route.dialect}.auth." + ("password" if route.auth == "basic" else "secret")
    endpoint = route.dialect == "endpoint"
    ask = Ask(
        f"{route.dialect}-{uuid.uuid4()}-{mark}",
        "a red fox",
        callback_url=f"{odoo}{route.callback}" if endpoint else None,
        security_token=named["routes.endpoint.security_token"] if endpoint else None,
    )
    body = body_of(route.dialect, ask)
    if endpoint and isinstance(params := body["params"], dict):
        params["security_token"] = named["routes.endpoint.security_token"]
    return await http.post(f"/webhook/{route.path}", json=body, headers=webhook_headers(route, named[own]))


async def at_rest(stack: Stack, count: int) -> None:
    """Wait until so many requests are settled or parked, and Odoo has been told of all."""
    done = 'Stage IN ("parked", "settled")'
    while (await stack.client.count_workflows(done)).count < count:
        await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    directory = tmp_path_factory.mktemp("guarded")
    async with AsyncExitStack() as cleanup:
        url = await cleanup.enter_async_context(listening(create_app()))
        starter, temporal = free_ports([0, 0])
        port = httpx.URL(url).port or 0
        files = write_configuration(directory, starter, StandIns(port, port))
        with_secrets_of_their_own(directory, files.config)
        references = secret_references(load_settings(files.config).model_dump())
        values = {name: resolve(reference) for name, reference in references}
        front = f"http://127.0.0.1:{starter}"
        stack = Stack(EmbeddedServer(directory, temporal, None), files.config, front)
        cleanup.push_async_callback(stack.stop)
        await stack.start(None, lambda _name: None)
        made = Guarded(directory, stack, values)
        api = {"Authorization": f"Bearer {values['api.auth.secret']}"}
        http = await cleanup.enter_async_context(httpx.AsyncClient(base_url=front, trust_env=False, timeout=20))
        posts = [post(http, made, route, mark, url) for route in ROUTES for mark in MARKS]
        answers = await asyncio.gather(*posts)
        answers.append(await http.send(answers[0].request))
        assert {answer.status_code for answer in answers} == {200}
        await at_rest(stack, len(posts))
        for answer in await asyncio.gather(*(http.get(f"/api/requests/{one}", headers=api) for one in ("gone", "x"))):
            assert answer.status_code == 404
        yield made


def test_every_place_for_a_secret_holds_another_one(guarded: Guarded) -> None:
    assert len(guarded.secrets) == len(set(guarded.secrets.values())) >= 16
    assert {name.partition(".")[0] for name in guarded.secrets} == {"api", "store", "services", "routes"}


async def test_histories_and_what_describes_them_hold_no_secret(guarded: Guarded) -> None:
    handles = await guarded.executions()
    assert len(handles) == len(ROUTES) * len(MARKS)
    for handle in handles:
        described = (await handle.describe()).raw_description.SerializeToString()
        events = [event.SerializeToString() for event in (await handle.fetch_history()).events]
        assert any(b"a red fox" in event for event in events), "payloads are read as they are"
        assert not guarded.leaks(described + b"".join(events)), handle.id


async def test_status_and_details_hold_no_secret(guarded: Guarded) -> None:
    for handle in await guarded.executions():
        status = await handle.query(names.STATUS)
        metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        assert "### What happened" in metadata.current_details
        assert not guarded.leaks(repr(status).encode() + metadata.SerializeToString()), handle.id


@pytest.mark.parametrize("program", ["temporal", "worker", "starter"])
def test_the_logs_hold_no_secret(guarded: Guarded, program: str) -> None:
    log = (guarded.directory / "logs" / f"{program}.log").read_bytes()
    assert not guarded.leaks(log)
    assert program == "temporal" or b"request_accepted" in log or b"attempt_gave_up" in log


OUTCOMES = ("request_accepted", "request_deduplicated")
ATTEMPTS = ("attempt_failed", "attempt_gave_up")
PLACE = ("request_id", "workflow_id", "run_id")


@pytest.mark.parametrize(
    ("program", "events", "fields"),
    [
        ("starter", OUTCOMES, PLACE),
        ("worker", ATTEMPTS, (*PLACE, "attempt")),
        ("worker", ("dead_letter_parked",), (*PLACE, "cause", "step")),
    ],
)
async def test_every_line_says_which_request_it_is_about(
    guarded: Guarded, program: str, events: tuple[str, ...], fields: tuple[str, ...]
) -> None:
    runs = {handle.id: (await handle.describe()).run_id for handle in await guarded.executions()}
    lines = [line for line in guarded.lines(program) if line["event"] in events]
    assert {line["event"] for line in lines} == set(events)
    assert [line for line in lines if not all(line.get(field) for field in fields)] == []
    assert [line for line in lines if runs[line["workflow_id"]] != line["run_id"]] == []
    assert [line for line in lines if not line["workflow_id"].endswith(line["request_id"])] == []


def test_the_database_and_the_store_hold_no_secret(guarded: Guarded) -> None:
    kept = [file for file in guarded.directory.rglob("*") if file.is_file() and file.parent.name != "secrets"]
    assert {"temporal.db", "manifest.json", "marker.json"} <= {file.name for file in kept}
    assert b"a red fox" in b"".join(file.read_bytes() for file in kept if file.name.startswith("temporal.db"))
    assert {file.name: leaks for file in kept if (leaks := guarded.leaks(file.read_bytes()))} == {}
