"""What the adapters of the Odoo port make of answers that no Odoo gives: proxies, silence, pages, redirects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from activities.odoo.connections import OdooConnections
from activities.odoo.errors import OdooRefusedError
from activities.odoo.port import OdooPort
from activities.services.transport import new_client
from contracts.callbacks import Verdict
from contracts.errors import FailureClass
from runtime.embedded import free_ports
from runtime.settings import OdooSettings
from tests.services.scripted import Script, ScriptedServer

KEY = "made-up-odoo-key-0123456789"
HTML = {"Content-Type": "text/html"}
Opened = Callable[..., OdooPort]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer().running() as running:
        yield running


@pytest.fixture(params=["odoorpc", "json2"])
async def opened(request: pytest.FixtureRequest, server: ScriptedServer, tmp_path: Path) -> AsyncIterator[Opened]:
    (tmp_path / "key").write_text(KEY, encoding="utf-8")
    client, connections = new_client(keepalive=True), list[OdooConnections]()

    def port(base_url: str = server.url, timeout_s: float = 20.0) -> OdooPort:
        rpc = {"kind": request.param, "user": "bot", "secret": f"file:{tmp_path / 'key'}"}
        odoo = OdooSettings.model_validate({"database": "acme", "base_url": base_url, "rpc": rpc})
        connections.append(OdooConnections({"main": odoo}, {"main": client}))
        return connections[-1].port("main", timeout_s)

    yield port
    for each in connections:
        each.close()
    await client.aclose()


async def failure(port: OdooPort) -> OdooRefusedError:
    with pytest.raises(OdooRefusedError) as caught:
        await port.read("res.partner", [1], ["name"])
    assert KEY not in f"{caught.value} {caught.value.reason}"
    return caught.value


async def test_an_odoo_that_is_not_there_is_tried_again(opened: Opened) -> None:
    (free,) = free_ports([0])
    error = await failure(opened(f"http://127.0.0.1:{free}"))
    assert error.verdict is Verdict.RETRY
    assert error.as_attempt().failure.failure is FailureClass.CALLBACK_UNDELIVERABLE


@pytest.mark.parametrize("then", ["drop", "cut"])
async def test_a_connection_that_breaks_is_tried_again(then: str, opened: Opened, server: ScriptedServer) -> None:
    server.play(Script(200, b'{"result": 1}', {"Content-Type": "application/json"}, then=then))  # type: ignore[arg-type]
    assert (await failure(opened())).verdict is Verdict.RETRY


async def test_an_odoo_that_does_not_answer_is_given_up_after_the_time(opened: Opened, server: ScriptedServer) -> None:
    server.play(Script(then="hang"))
    assert (await failure(opened(timeout_s=0.3))).verdict is Verdict.RETRY


@pytest.mark.parametrize("status", [502, 503, 429])
async def test_a_proxy_that_asks_to_wait_is_waited_for(status: int, opened: Opened, server: ScriptedServer) -> None:
    server.play(Script(status, b"<html>busy</html>", {**HTML, "Retry-After": "77"}))
    error = await failure(opened())
    assert (error.verdict, error.retry_after_s, error.http_status) == (Verdict.RETRY, 77.0, status)


async def test_an_unknown_database_may_be_one_that_is_being_loaded(opened: Opened, server: ScriptedServer) -> None:
    server.play(Script(404, b"<html>not found</html>", HTML))
    assert (await failure(opened())).verdict is Verdict.UNCLEAR


@pytest.mark.parametrize("body", [b"<html>login</html>", b"", b"[1]", b'"text"', b'{"error": "x"}', b'{"error": {}}'])
async def test_a_page_is_not_taken_for_an_answer(body: bytes, opened: Opened, server: ScriptedServer) -> None:
    server.play(Script(200, body, HTML))
    assert (await failure(opened())).verdict is Verdict.UNCLEAR


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(status: int, opened: Opened, server: ScriptedServer) -> None:
    server.play(Script(status, b"", {"Location": f"{server.url}/elsewhere"}))
    assert (await failure(opened())).verdict is Verdict.FINAL
    assert len(server.received) == 1


async def test_who_is_cancelled_leaves_no_call_behind(opened: Opened, server: ScriptedServer) -> None:
    server.play(Script(then="hang"))
    port = opened(timeout_s=0.3)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await port.read("res.partner", [1], ["name"])
    assert len(server.received) == 1
