"""A collector that is down, hangs or refuses costs nothing but its spans; without one, nothing is even loaded."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from operations.demo.configuration import write_configuration
from operations.stack import StandIns
from runtime.configuration import load_settings, usable_problems
from runtime.settings import Settings, TracingSettings
from tests.services.scripted import Script, ScriptedServer

CHECKOUT = Path(__file__).parents[2]
_PROGRAM = """
import sys
from runtime.logs import configure_logging
from runtime.settings import LoggingSettings, TracingSettings
from runtime.tracing import TRACER, is_on, tracing

configure_logging(LoggingSettings(format="json"), stream=sys.stdout)
with tracing(TracingSettings(endpoint=sys.argv[1] or None), "worker"):
    for number in range(20_000):
        with TRACER.start_as_current_span(f"span {number}"):
            pass
print("loaded" if "opentelemetry.sdk" in sys.modules or "requests" in sys.modules else "not loaded")
"""


async def program(endpoint: str) -> list[str]:
    """What a process with 20,000 spans writes; it must come to its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", _PROGRAM, endpoint),
        env={"PYTHONPATH": str(CHECKOUT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out
    return out.decode().splitlines()


ILLNESSES = {"refuses": Script(500, b"a text of theirs"), "hangs": Script(then="hang"), "drops": Script(then="drop")}
DOWN = "http://127.0.0.1:1"


async def test_a_sick_collector_is_named_once_and_holds_nothing_up() -> None:
    async with AsyncExitStack() as stack:
        collectors = [await stack.enter_async_context(ScriptedServer().running()) for _ in ILLNESSES]
        for collector, script in zip(collectors, ILLNESSES.values(), strict=True):
            collector.play(script)
        outputs = await asyncio.gather(*map(program, [DOWN, *(collector.url for collector in collectors)]))
        assert all(collector.received for collector in collectors)
    for (*told, loaded), illness in zip(outputs, ["is down", *ILLNESSES], strict=True):
        (line,) = [json.loads(line) for line in told]
        assert (line["event"], line["level"]) == ("traces_not_sent", "warning"), illness
        assert "tracing.endpoint" in line["hint"]
        assert loaded == "loaded"


async def test_without_a_collector_nothing_is_loaded_and_nothing_said() -> None:
    assert await program("") == ["not loaded"]


def test_a_secret_that_is_missing_is_told_before_anything_starts(tmp_path: Path) -> None:
    tree = load_settings(write_configuration(tmp_path, 5678, StandIns(9001, 9002)).config).model_dump()
    auth = {"kind": "header", "name": "X-Api-Key", "secret": "env:NO_SUCH_COLLECTOR_KEY"}
    settings = Settings.model_validate({**tree, "tracing": {"endpoint": "http://127.0.0.1:4318", "auth": auth}})
    assert usable_problems(settings) == [
        "tracing.auth.secret: the secret env:NO_SUCH_COLLECTOR_KEY is missing or empty: set that environment variable"
    ]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("endpoint", "collector:4318"),
        ("endpoint", "http://user:secret@host"),
        ("sample_ratio", 1.5),
        ("service_name", "a b"),
    ],
)
def test_a_wrong_setting_is_refused(setting: str, value: object) -> None:
    with pytest.raises(ValueError, match=setting):
        TracingSettings.model_validate({setting: value})
