"""`orchestrator conformance` as a person runs it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from operations.conformance.wire import Server

CHECKOUT = Path(__file__).parents[2]


async def run(*arguments: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "operations", "conformance", *arguments),
        cwd=CHECKOUT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


def url(server: Server) -> str:
    return f"http://{server.host}:{server.port}"


async def test_ours_answers_as_recorded_but_for_the_table(recorded_webhooks: Server) -> None:
    code, out, _ = await run("--base-url", url(recorded_webhooks), "--ours", "--case", "[cr]o*/*", "--json")
    report = json.loads(out)
    assert (code, report["passed"], report["failed"], report["problems"]) == (0, True, 0, {})
    assert report["deviations"]["route/odd-method-trace"] == "route/odd-method-*"


async def test_without_the_table_a_deviation_is_a_failure(recorded_webhooks: Server) -> None:
    code, out, err = await run("--base-url", url(recorded_webhooks), "--case", "route/odd-*")
    assert (code, out) == (1, "0 of 2 cases answered as recorded\n")
    assert "route/odd-method-trace: status: expected 500, got 405" in err


async def test_a_server_that_is_not_there_is_told_case_by_case() -> None:
    code, _, err = await run("--base-url", "http://127.0.0.1:9", "--case", "service/*")
    assert code == 1
    assert err.startswith("service/healthz: no readable answer (ConnectionRefusedError")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--base-url", "127.0.0.1"), "must be scheme, host and port"),
        (("--base-url", "http://127.0.0.1:9", "--case", "zzz"), "no case matches 'zzz'"),
    ],
)
async def test_bad_use_is_one_line(arguments: tuple[str, ...], told: str) -> None:
    code, out, err = await run(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err
