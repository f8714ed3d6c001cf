"""The demo as a person or CI runs it: a process of its own, real sockets, every dialect."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.dialects import CALLBACK_DIALECTS

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-P", "-m", "operations", "demo"]
NOT_OURS = {
    "ORCHESTRATOR__STARTER__PORT": "nonsense",
    "ORCHESTRATOR_CONFIG": "nowhere.toml",
    "N8N_PAYLOAD_SIZE_MAX": "nonsense",
    "TEMPORAL_ADDRESS": "127.0.0.1:1",
    "TEMPORAL_NAMESPACE": "nonsense",
    "TEMPORAL_PROFILE": "nonsense",
    "TEMPORAL_API_KEY": "nonsense",
    "TEMPORAL_TLS": "true",
}
"""What a shell may hold for another orchestrator and another Temporal: the demo has its own."""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), **NOT_OURS}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one run of `demo --exit --json` says; it must have ended well."""
    command = [*COMMAND, "--exit", "--json", "--latency", "0.1"]
    where = tmp_path_factory.mktemp("elsewhere")
    done = subprocess.run(command, cwd=where, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    assert not list(where.iterdir()), "the demo leaves nothing behind"
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_everything_acknowledged_is_settled_exactly_once(document: dict[str, Any]) -> None:
    assert document["requested"] == document["delivered"] + document["rejected"] == len(document["requests"])
    assert (document["dead_letters"], document["duplicates"]) == (0, 0)
    assert document["rejected"] == 2
    assert document["deduplicated"] == len(CALLBACK_DIALECTS)
    assert all(request["outcome"] == request["expected"] for request in document["requests"])


def test_every_dialect_takes_part(document: dict[str, Any]) -> None:
    delivered = {request["dialect"] for request in document["requests"] if request["image_sha256"]}
    assert delivered == set(CALLBACK_DIALECTS)


def test_unlucky_requests_were_tried_again(document: dict[str, Any]) -> None:
    calls = {request["what"]: request["image_calls"] for request in document["requests"]}
    assert (calls["service says 429 twice"], calls["service overloaded once"]) == (3, 2)
    assert (calls["plain 1"], calls["prompt missing"]) == (1, 0)


def test_the_document_has_the_figures(document: dict[str, Any]) -> None:
    for name in ("acknowledge_ms", "delivered_ms"):
        assert 0 < document[name]["p50"] <= document[name]["p99"]


async def test_without_exit_it_keeps_running_and_its_curl_line_works() -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *("--latency", "0", "--requests", "1"),
        env=ENVIRONMENT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said = await _said_until(process, "Ctrl-C")
        page = re.search(r"Received images\s+(\S+)", said)
        ui = re.search(r"Temporal Web UI\s+(\S+)", said)
        curl = re.search(r"^curl .*$", said, re.MULTILINE)
        assert page
        assert ui
        assert curl
        done = await asyncio.to_thread(
            subprocess.run, ["bash", "-c", curl[0]], capture_output=True, text=True, check=True
        )
        assert json.loads(done.stdout)["correlationId"] == "mine-1"
        async with httpx.AsyncClient(trust_env=False) as http:
            assert "text/html" in (await http.get(page[1])).headers["content-type"]
            assert (await http.get(f"{ui[1]}/namespaces/default/workflows")).is_success
            await _received(http, page[1], "mine-1")
    finally:
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0


async def _said_until(process: asyncio.subprocess.Process, word: str) -> str:
    assert process.stderr
    said = ""
    async with asyncio.timeout(90):
        while word not in said:
            line = await process.stderr.readline()
            assert line, said
            said += line.decode()
    return said


async def _received(http: httpx.AsyncClient, page: str, request_id: str) -> None:
    async with asyncio.timeout(30):
        while True:
            outcomes = (await http.get(f"{page}/received")).json()["outcomes"]
            if any(outcome["request_id"] == request_id for outcome in outcomes):
                return
            await asyncio.sleep(0.2)
