"""Workers and starters are exchanged while requests keep coming: real processes; nothing is lost or paid twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from runtime.configuration import load_settings
from runtime.embedded import free_ports
from starter.wire.server import serve
from tests.crashes.orders import BRIEF, FREE, PAID, Order, completed_once, orders, strange, until
from tests.crashes.site import Site
from tests.operations.commandline import NOWHERE, configured

DEPLOYS = 2
_LONG = {
    f"{step}.retry.{limit}": seconds
    for step in ("services.flux", "services.openai", "routes.event.callback", "routes.request.callback")
    for limit, seconds in {"timeout_s": "60", "heartbeat_s": "30"}.items()
}
"""A call that is only slow, on a machine with much to do, must not be repeated."""


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A stack whose workers are the test's own."""
    site = Site(tmp_path_factory.mktemp("deploys"), _LONG)
    try:
        await site.start(worker=False)
        yield site
    finally:
        await site.stop()


class Release:
    """One worker process and what its readiness says."""

    def __init__(self, site: Site, log: Path) -> None:
        self._site, self._log = site, log
        (self._port,) = free_ports([0])
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        bind = f"127.0.0.1:{self._port}"
        self._process = await self._site.own_worker(self._log, worker__health_bind=bind, worker__shutdown_grace_s="20")

        async def ready() -> bool:
            return await self.readiness() == 200

        await until(ready, f"the worker never became ready: {self._log.read_text()[-500:]}")

    async def readiness(self) -> int | None:
        """The status of its readiness; None where nobody answers."""
        try:
            answer = await self._site.http.get(f"http://127.0.0.1:{self._port}/healthz/readiness")
        except httpx.TransportError:
            return None
        return answer.status_code

    async def stop(self) -> list[int | None]:
        """SIGTERM; returns each readiness until the process has ended, which must be in peace."""
        assert self._process is not None
        self._process.terminate()
        seen, ended = list[int | None](), asyncio.create_task(self._process.wait())
        while not ended.done():
            seen.append(await self.readiness())
            await asyncio.sleep(0.02)
        assert ended.result() == 0, self._log.read_text()[-500:]
        return seen


async def test_deploys_under_load_lose_nothing_and_spend_no_retry(site: Site, tmp_path: Path) -> None:
    old = Release(site, tmp_path / "worker-0.log")
    await old.start()
    taken: list[Order] = []
    for number in range(1, DEPLOYS + 1):
        wanted = [*orders(PAID, BRIEF, 4), *orders(FREE, BRIEF, 4)]
        await site.take_all(wanted)
        await site.stored("marker", wanted)
        taken += wanted
        new = Release(site, tmp_path / f"worker-{number}.log")
        await new.start()
        more = [*orders(PAID, BRIEF, 2), *orders(FREE, BRIEF, 2)]
        _, readiness = await asyncio.gather(site.take_all(more), old.stop())
        taken += more
        assert 200 not in readiness[1:], "a worker that stops says that it is ready"
        old = new
    # The services of this site may fail once only: a call that was cut off and counted would end as a dead letter.
    odd = strange(await site.settled(taken), completed_once)
    assert not odd, f"not delivered, or paid twice: {odd}"
    attempts = {order.request_id: await site.attempts(order) for order in taken}
    assert all(set(each) == {1} for each in attempts.values()), f"a call was repeated: {attempts}"
    await old.stop()


@asynccontextmanager
async def stopping_starter(directory: Path, drain_s: float) -> AsyncIterator[tuple[httpx.AsyncClient, asyncio.Event]]:
    """A starter that has not been told to stop yet; it ends inside, or with the test."""
    settings, (port,) = load_settings(configured(directory).config), free_ports([0])
    starter = settings.starter.model_copy(update={"port": port, "drain_s": drain_s})
    stop, url = asyncio.Event(), f"http://127.0.0.1:{port}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_ADDRESS", NOWHERE)
        running = asyncio.create_task(serve(settings.model_copy(update={"starter": starter}), stop))
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            await until(lambda: _answers(http), "the starter never listened")
            yield http, stop
            running.cancel()
            await asyncio.wait({running})


async def _answers(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/healthz")).is_success
    except httpx.TransportError:
        return False


async def test_a_starter_that_stops_is_not_ready_but_still_takes_what_comes(tmp_path: Path) -> None:
    async with stopping_starter(tmp_path, drain_s=60) as (http, stop):
        before = await http.get("/healthz/readiness")
        stop.set()
        await asyncio.sleep(0)
        draining, live = await http.get("/healthz/readiness"), await http.get("/healthz")
        webhook = await http.post("/webhook/nowhere", json={})
    assert before.json()["message"] == "Temporal is not reachable"
    assert (draining.status_code, draining.json()["message"]) == (503, "stopping")
    assert (live.status_code, webhook.status_code) == (200, 404), "it still answers"


async def test_a_starter_that_has_drained_is_gone(tmp_path: Path) -> None:
    async with stopping_starter(tmp_path, drain_s=0.1) as (http, stop):
        stop.set()
        await until(lambda: _refuses(http), "the starter never stopped")


async def _refuses(http: httpx.AsyncClient) -> bool:
    return not await _answers(http)
