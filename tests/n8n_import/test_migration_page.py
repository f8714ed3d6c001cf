"""docs/migrate-from-n8n.md is followed: its commands, from the export to the way back, in one shell."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from operations.local.image_service import ImageServiceConfig
from operations.local.image_service import create_app as create_image_service
from operations.local.receiver import ReceiverConfig
from operations.local.receiver import create_app as create_receiver
from operations.local.serving import listening
from runtime.embedded import free_ports
from tests.n8n_import.exports import INFLUENCEGEN
from tests.temporal_server import running_server

CHECKOUT = Path(__file__).parents[2]
PAGE = CHECKOUT / "docs" / "migrate-from-n8n.md"
ROUTE = "ORCHESTRATOR__ROUTES__INFLUENCEGEN_AI_IMAGE_GENERATE"
BLOCK = re.compile(r"^( *)```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def commands() -> str:
    """What stands in the page's `sh` blocks, in their order."""
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    return "".join(re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in blocks)


@dataclass
class OldN8n:
    """Answers as n8n does, and keeps what it got."""

    bodies: list[dict[str, Any]] = field(default_factory=list)

    async def webhook(self, request: Request) -> Response:
        self.bodies.append(await request.json())
        return JSONResponse({"message": "Workflow was started"})


@dataclass
class Followed:
    """What the page's commands left behind."""

    code: int
    out: str
    err: str
    directory: Path
    received: dict[str, Any]
    calls: list[dict[str, Any]]
    old: OldN8n


def surroundings(directory: Path, address: str, image: str, odoo: str, old: str) -> None:
    """The files that the page tells its reader to write, with the local addresses in them."""
    (port,) = free_ports([0])
    settings = {
        "ODOO_BASIC_PASSWORD": "made-up-password",
        "AI_KEY_VALUE": "Bearer made-up-image-key",
        "STORE_SIGNING_KEY": "made-up-signing-key-0123456789",
        "TEMPORAL_ADDRESS": address,
        "ORCHESTRATOR__STARTER__PORT": str(port),
        "ORCHESTRATOR__STARTER__PUBLIC_BASE_URL": f"http://127.0.0.1:{port}",
        "ORCHESTRATOR__SERVICES__AI_IMAGE__BASE_URL": image,
        "ORCHESTRATOR__ODOOS__ODOO__BASE_URL": odoo,
        f"{ROUTE}__CALLBACK__PATH": "/api/influencegen/ai_image_callback",
    }
    write_exports(directory / "migration.env", settings)
    write_exports(directory / "shadow.env", {f"{ROUTE}__SHADOW": f"{old}/webhook/shadow/ai-image-generate"})
    (directory / "export.json").write_bytes(INFLUENCEGEN.read_bytes())
    command = directory / "bin" / "orchestrator"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m operations "$@"\n')
    command.chmod(0o755)


def write_exports(file: Path, variables: dict[str, str]) -> None:
    file.write_text("".join(f"export {name}='{value}'\n" for name, value in variables.items()))


async def follow(directory: Path) -> tuple[int, str, str]:
    """Run the page's commands, up to the first that fails; nothing they started outlives them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORCHESTRATOR", "TEMPORAL_"))}
    path = f"{directory / 'bin'}:{kept['PATH']}"
    script = f"set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{commands()}"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", script),
        cwd=directory,
        env={**kept, "PATH": path, "PYTHONPATH": str(CHECKOUT)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture(scope="module")
async def followed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Followed]:
    directory, old = tmp_path_factory.mktemp("migration"), OldN8n()
    async with AsyncExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("MADE_UP_IMAGE_KEY", "made-up-image-key")
        address = await stack.enter_async_context(running_server(tmp_path_factory.mktemp("temporal")))
        service = create_image_service(ImageServiceConfig(key="env:MADE_UP_IMAGE_KEY"))
        image = await stack.enter_async_context(listening(service))
        odoo = await stack.enter_async_context(listening(create_receiver(ReceiverConfig())))
        n8n = Starlette(routes=[Route("/webhook/shadow/ai-image-generate", old.webhook, methods=["POST"])])
        surroundings(directory, address, image, odoo, await stack.enter_async_context(listening(n8n)))
        ran = await follow(directory)
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            received = (await http.get(f"{odoo}/received")).json()
            calls = (await http.get(f"{image}/journal")).json()["calls"]
        yield Followed(*ran, directory, received, calls, old)


def test_every_command_succeeds(followed: Followed) -> None:
    assert followed.code == 0, followed.err[-2000:] + followed.out[-2000:]


def test_the_imported_configuration_carries_requests_from_webhook_to_odoo(followed: Followed) -> None:
    outcomes = followed.received["outcomes"]
    assert [outcome["dialect"] for outcome in outcomes] == ["request", "request"]
    assert all(outcome["image_sha256"] for outcome in outcomes)
    assert [call["status"] for call in followed.calls] == [200, 200]
    for name in ("first.png", "second.png"):
        assert (followed.directory / name).read_bytes().startswith(b"\x89PNG")


def test_only_what_came_during_the_shadow_went_to_the_old_system(followed: Followed) -> None:
    assert [body["prompt"] for body in followed.old.bodies] == ["a second bicycle"]
    assert "1 of 1 alike" in followed.out


def test_the_report_and_the_checks_were_shown(followed: Followed) -> None:
    assert "dialect request: it" in followed.out
    assert "the configuration can be used" in followed.out
    assert "nothing is parked" in followed.out
    assert (followed.directory / "migration.md").read_text().startswith("# Migration report")


def test_no_secret_was_written_or_shown(followed: Followed) -> None:
    files = [path for path in followed.directory.iterdir() if path.suffix in {".toml", ".md", ".log"}]
    assert {path.name for path in files} >= {"orchestrator.toml", "migration.md", "worker.log", "starter.log"}
    written = "".join(path.read_text() for path in files)
    for secret in ("made-up-password", "made-up-image-key", "made-up-signing-key"):
        assert secret not in written + followed.out + followed.err
