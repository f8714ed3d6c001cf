"""Replay fails wherever it proves nothing: broken, empty and orphaned histories, none at all, code that crashes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client

from contracts.names import WORKFLOW
from operations.replaying import replay_files, replay_live
from tests.operations.commandline import CommandLine
from tests.operations.requests_at_work import accepted, parked, working
from tests.operations.wrong_workflows import Crashing, Otherwise


@pytest.fixture
async def history(online: CommandLine, temporal_client: Client) -> dict[str, Any]:
    """The history of a dead letter."""
    async with working(temporal_client, online):
        handle = await parked(temporal_client, online, f"replay-{uuid4()}")
    recorded: dict[str, Any] = (await handle.fetch_history()).to_json_dict()
    return recorded


def written(directory: Path, content: object, name: str = "history.json") -> Path:
    file = directory / name
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


async def test_what_today_s_code_recorded_can_be_replayed(tmp_path: Path, history: dict[str, Any]) -> None:
    report = await replay_files([written(tmp_path, history)])
    assert report.failures == ()
    assert report.passed


async def test_other_decisions_are_found(tmp_path: Path, history: dict[str, Any]) -> None:
    report = await replay_files([written(tmp_path, history)], [Otherwise])
    (failure,) = report.failures
    assert failure.problem is not None
    assert failure.problem.startswith("NondeterminismError")


async def test_code_that_crashes_in_the_next_task_is_found(tmp_path: Path, history: dict[str, Any]) -> None:
    begun = {"events": history["events"][:3]}
    report = await replay_files([written(tmp_path, begun)], [Crashing])
    assert [failure.problem for failure in report.failures] == ["KeyError: 'a bug'"]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"events": []}', '{"events": [{"eventId": "x"}]}', '{"events": [{}]}']
)
async def test_what_is_no_history_fails(tmp_path: Path, content: str) -> None:
    report = await replay_files([written(tmp_path, content)])
    assert (len(report.results), len(report.failures)) == (1, 1)


async def test_nothing_to_replay_is_no_success() -> None:
    assert not (await replay_files([])).passed


async def test_each_failure_is_told_and_the_others_go_on(offline: CommandLine, history: dict[str, Any]) -> None:
    orphan = json.dumps(history).replace(f'"name": "{WORKFLOW}"', '"name": "retired"')
    folder = offline.directory / "histories"
    (folder / "deeper").mkdir(parents=True)
    written(folder / "deeper", history)
    written(folder, orphan, "orphan.json")
    written(folder, "{", "broken.json")
    ran = await offline.run("replay", "histories", "missing.json")
    assert (ran.code, ran.out) == (1, "1 of 4 histories replayed\n")
    lines = dict(line.split(": ", 1) for line in ran.err.splitlines())
    assert lines.keys() == {"histories/orphan.json", "histories/broken.json", "missing.json"}
    assert "retired is not registered" in lines["histories/orphan.json"]
    document = (await offline.run("replay", "--json", "histories/deeper")).document
    assert document == {"histories": 1, "failed": 0, "failures": {}, "passed": True}


async def test_an_empty_directory_fails(offline: CommandLine) -> None:
    (offline.directory / "none").mkdir()
    ran = await offline.run("replay", "none")
    assert (ran.code, ran.err) == (1, "there is nothing to replay: no history was found\n")


async def test_live_requests_are_replayed(online: CommandLine, temporal_client: Client) -> None:
    handle = await accepted(temporal_client, online, f"replay-{uuid4()}", "a fox")
    async with working(temporal_client, online):
        await handle.result()
    query = f'WorkflowId = "{handle.id}"'
    while not (await temporal_client.count_workflows(query)).count:
        await asyncio.sleep(0.05)
    assert (await replay_live(temporal_client, query)).passed
    assert not (await replay_live(temporal_client, query, [Otherwise])).passed
    none = await online.run("replay", "--live", "--query", 'WorkflowId = "nobody"')
    assert none.code == 1
    wrong = await online.run("replay", "--live", "--query", "Foo = 1")
    assert (wrong.code, len(wrong.err.splitlines())) == (1, 1)
