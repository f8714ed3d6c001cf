"""Odoo's outbox: several senders at once, and one that is killed after its post and before it has noted the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from operations.local.serving import listening
from operations.odoo.rpc import OdooCallError
from tests.odoo.running import PATIENCE_S, until
from tests.odoo.site import Site

SEND = "env['ai.image.request']._cron_send(patience_s=0)"


class Between:
    """Stands before the starter; passes calls on, and keeps the answers back while it is told to."""

    def __init__(self, starter: str) -> None:
        self._starter = starter
        self.passed = set[str]()
        """Keys of what the starter took."""
        self.answers = asyncio.Event()

    async def serve(self, request: Request) -> Response:
        async with httpx.AsyncClient(base_url=self._starter, trust_env=False, timeout=30) as http:
            named = {name: value for name, value in request.headers.items() if name != "host"}
            answer = await http.request(request.method, request.url.path, content=await request.body(), headers=named)
        if answer.is_success:
            self.passed.add(request.headers.get("idempotency-key", ""))
        await self.answers.wait()
        return Response(answer.content, answer.status_code)


@asynccontextmanager
async def between(site: Site) -> AsyncIterator[Between]:
    """Odoo's calls go through it."""
    proxy = Between(site.bridge.starter_url)
    app = Starlette(routes=[Route("/{path:path}", proxy.serve, methods=["GET", "POST"])])
    async with listening(app) as url:
        await site.odoo.parameters(orchestrator_url=url)
        try:
            yield proxy
        finally:
            proxy.answers.set()
            await site.odoo.start()
            await site.odoo.parameters(orchestrator_url=site.bridge.starter_url)


async def _set_sending(site: Site, *, active: bool) -> None:
    """Switch Odoo's sending on or off: a cron that is at it can be changed once it is done."""
    (cron,) = await site.odoo.admin.search(
        "ir.model.data", ["model", "=", "ir.cron"], ["name", "=", "cron_send"], fields=("res_id",)
    )

    async def is_set() -> bool:
        try:
            await site.odoo.admin.write("ir.cron", cron["res_id"], active=active)
        except OdooCallError as error:
            if "currently being executed" not in str(error):
                raise
            return False
        return True

    await until(is_set, "the outbox never ended its last run")


@pytest.fixture
async def quiet_site(site: Site) -> AsyncIterator[Site]:
    """A site whose Odoo sends nothing by itself, and is patient with what it sends to."""
    await site.odoo.parameters(timeout_s="60")
    await _set_sending(site, active=False)
    yield site
    await _set_sending(site, active=True)


async def test_senders_at_once_send_each_request_once(quiet_site: Site) -> None:
    site = quiet_site
    asked = await site.ask_many(40, "a kite")

    async def all_sent() -> bool:
        await asyncio.gather(*(site.odoo.shell(SEND) for _ in range(3)))
        # A run of the outbox ends after a while, whatever is left.
        return "queued" not in {one["state"] for one in await site.records(*asked)}

    await until(all_sent, "not all requests were sent", 3 * PATIENCE_S)
    done = await site.finished(*asked)
    assert [(one["state"], one["attempts"]) for one in done] == [("completed", 1)] * len(asked)
    assert sum([await site.runs(one["request_key"], "event") for one in done]) == len(asked)


async def test_odoo_killed_between_its_post_and_its_commit(site: Site) -> None:
    async with between(site) as proxy:
        asked = await site.ask("a heron")

        key = (await site.record(asked))["request_key"]

        async def passed() -> bool:
            return key in proxy.passed

        await until(passed, "the starter took nothing")
        await site.odoo.kill()
        assert await site.odoo.sql(f"SELECT state, attempts FROM ai_image_request WHERE id = {asked}") in {  # noqa: S608
            "queued|1",
            "completed|1",
        }
        proxy.answers.set()
        await site.odoo.start()
        await site.send_now()
        (done,) = await site.finished(asked)
    assert done["state"] == "completed"
    assert len(await site.pictures(asked)) == await site.paid(key) == 1
    assert await site.runs(key, "event") == 1
