"""The demo with a real Odoo: our addon asks for images by every dialect, and shows them at its records."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from operations.demo.configuration import DemoRoute, write_configuration
from operations.local_stack import LocalStack
from operations.odoo.bridge import REQUEST, ROUTES, Bridge
from operations.odoo.installation import ADDON, STOCK, OdooHome
from operations.odoo.rpc import OdooClient
from operations.stack import StandIns
from runtime.embedded import free_ports

DATABASE, ODOO_PORT = "demo", 8069
_SENT_S = 30.0


@dataclass(slots=True)
class AskedOdoo:
    """One request in Odoo and what became of it."""

    record: int
    route: DemoRoute
    what: str
    expected: str
    asked_at: float
    """Seconds of the monotonic clock."""
    fields: dict[str, Any] = field(default_factory=dict)
    """As Odoo has them; empty until it is in a final state."""
    images: int = 0
    milliseconds: float | None = None

    @property
    def is_as_expected(self) -> bool:
        """Whether it ended as it should, with one image where there should be one."""
        return self.fields.get("state") == self.expected and self.images == (self.expected == "completed")


class OdooDemo:
    """A stack whose Odoo is real; start it, run it, and stop the stack's supervisor before `remove`."""

    def __init__(self, local: LocalStack, home: OdooHome, *, usual_ports: bool) -> None:
        self._local, self._home = local, home
        (self._port,) = free_ports([ODOO_PORT if usual_ports else 0])
        self._client = OdooClient(self.url, DATABASE)
        starter = httpx.URL(local.stack.starter_url).port or 0
        stand_ins = StandIns(local.local.image_port, self._port)
        # The secrets stay; now every callback goes to Odoo.
        files = write_configuration(local.files.directory, starter, stand_ins, ROUTES)
        self._bridge = Bridge(self._client, self.url, files, local.stack.starter_url, local.ui_url)
        self.asked: list[AskedOdoo] = []
        self._following: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        """Odoo's base URL."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self, progress: Callable[[str], None]) -> None:
        """Start everything; `progress` gets what is ready. Raises `StartError` and `OdooMissingError`."""
        stack = self._local.stack
        image_service = stack.local_programs(self._local.local)[0]
        for program in (stack.server(), image_service, self._home.postgres()):
            await stack.supervisor.start(program)
            progress(f"{program.name} is up")
        await self._home.clone(STOCK, DATABASE)
        await self._home.install(DATABASE, ADDON)
        progress("the addon is installed")
        for program in (self._home.odoo(DATABASE, self._port), stack.worker(), stack.starter()):
            await stack.supervisor.start(program)
            progress(f"{program.name} is up")

    async def run(self, each: int, patience_s: float) -> None:
        """Ask for `each` images by every route and for two that need luck; wait at most `patience_s` seconds."""
        for route in ROUTES:
            plain = [(f"plain {n + 1}", "a lighthouse at dusk", "completed") for n in range(each)]
            await self._ask(route, plain)
        event = ROUTES[0]
        unlucky = ("service says 429 twice", "a fox in the snow [rate limited]", "completed")
        await self._ask(event, [unlucky, ("content refused", "a paper boat [forbidden]", "rejected")])
        try:
            async with asyncio.timeout(patience_s):
                await asyncio.gather(*self._following)
        except TimeoutError:
            return  # Whoever has no fields was not settled in time.

    async def aclose(self) -> None:
        """Follow nothing any more and close the connection to Odoo."""
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        await self._client.aclose()

    async def _ask(self, route: DemoRoute, wanted: Sequence[tuple[str, str, str]]) -> None:
        await self._bridge.use(route)
        for what, prompt, expected in wanted:
            begun = time.monotonic()
            record = await self._bridge.ask(prompt, resolution="512x512")
            self.asked.append(AskedOdoo(record, route, what, expected, begun))
            self._following.append(asyncio.create_task(self._follow(self.asked[-1])))
        # The addon has one webhook at a time: what waits must be sent before the next route's turn.
        async with asyncio.timeout(_SENT_S):
            while await self._client.search(REQUEST, ["state", "=", "queued"]):  # noqa: ASYNC110 - in Odoo's database
                await asyncio.sleep(0.1)

    async def _follow(self, one: AskedOdoo) -> None:
        fields = await self._bridge.finished(one.record)
        one.milliseconds = (time.monotonic() - one.asked_at) * 1000
        one.images, one.fields = len(fields["image_ids"]), fields


def succeeded(asked: Sequence[AskedOdoo]) -> bool:
    """Whether everything ended as it should."""
    return bool(asked) and all(one.is_as_expected for one in asked)


def document(asked: Sequence[AskedOdoo]) -> dict[str, Any]:
    """The JSON document."""
    return {
        "requested": len(asked),
        "completed": sum(one.fields.get("state") == "completed" for one in asked),
        "rejected": sum(one.fields.get("state") == "rejected" for one in asked),
        "images": sum(one.images for one in asked),
        "requests": [_entry(one) for one in asked],
    }


def table(asked: Sequence[AskedOdoo]) -> Table:
    """The table of all requests."""
    view = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("Odoo id", "route", "what", "state", "images", "ms"):
        view.add_column(name, no_wrap=True, justify="right" if name in {"Odoo id", "images", "ms"} else "left")
    for one in asked:
        state = escape(str(one.fields.get("state") or "not settled in time"))
        shown = f"[{'green' if one.is_as_expected else 'red'}]{state}"
        spent = "" if one.milliseconds is None else f"{one.milliseconds:,.0f}"
        view.add_row(str(one.record), one.route.name, one.what, shown, str(one.images), spent)
    return view


def summary(asked: Sequence[AskedOdoo]) -> str:
    """One line of counts."""
    doc = document(asked)
    return (
        f"{doc['requested']} requests: {doc['completed']} completed, {doc['rejected']} rejected, {doc['images']} images"
    )


def _entry(one: AskedOdoo) -> dict[str, Any]:
    return {
        "request_id": one.fields.get("request_key"),
        "record": one.record,
        "route": one.route.name,
        "dialect": one.route.dialect,
        "what": one.what,
        "state": one.fields.get("state"),
        "expected": one.expected,
        "images": one.images,
        "milliseconds": one.milliseconds and round(one.milliseconds, 1),
    }
