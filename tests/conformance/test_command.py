"""`orchestrator conformance` as a person runs it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from operations.conformance.wire import Server
from runtime.configuration import load_settings, usable_problems

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


def names_in(directory: Path) -> list[str]:
    return [file.name for file in directory.iterdir()]


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


async def test_the_written_configuration_is_one_that_a_starter_serves(tmp_path: Path) -> None:
    code, out, _ = await run("--write-config", str(tmp_path / "site"))
    config = tmp_path / "site" / "orchestrator.toml"
    settings = load_settings(config)
    assert (code, out) == (0, f"orchestrator --config {config} up\n")
    assert usable_problems(settings) == []
    inactive = {route.path for route in settings.routes.values() if not route.active}
    assert inactive == {"c/inactive", "c/basic-nocred"}


async def test_a_configuration_that_is_there_is_left_alone(tmp_path: Path) -> None:
    config = tmp_path / "orchestrator.toml"
    config.write_text("# mine\n")
    code, out, err = await run("--write-config", str(tmp_path), "--json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"{config} is there already" in err
    assert names_in(tmp_path) == ["orchestrator.toml"]
    assert config.read_text() == "# mine\n"
    code, out, _ = await run("--write-config", str(tmp_path / "new"), "--json")
    assert (code, json.loads(out)) == (0, {"configuration": str(tmp_path / "new" / "orchestrator.toml")})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--base-url", "127.0.0.1"), "must be scheme, host and port"),
        (("--base-url", "http://127.0.0.1:9", "--case", "zzz"), "no case matches 'zzz'"),
        ((), "give either --base-url or --write-config"),
        (("--base-url", "http://127.0.0.1:9", "--write-config", "x"), "give either --base-url or --write-config"),
        (("--write-config", "/proc/none"), "/proc/none cannot be written"),
    ],
)
async def test_bad_use_is_one_line(arguments: tuple[str, ...], told: str) -> None:
    code, out, err = await run(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err
