"""Every workflow of the registry has recorded histories and approved options; what is missing says how to add it."""

from __future__ import annotations

import ast
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from difflib import unified_diff
from pathlib import Path

from temporalio import workflow
from temporalio.client import Client, WorkflowHistory

from runtime.temporal import DATA_CONVERTER
from tests.replay.asked import asked_in_each
from tests.replay.histories import CHECKOUT, HistoryFile, Library
from tests.replay.plays import PLAYS, Play
from tests.replay.site import IDENTITY
from tests.temporal_server import running_server
from workflows import WORKFLOWS

APPROVED = Path(__file__).with_name("approved")
_RECORD = (
    "`scripts/record-histories`, read the difference of tests/replay/approved and commit everything (docs/replay.md)"
)

NOT_RECORDED = f"""\
The workflow {{workflow}} has no recorded history, so no test would tell that a change strands its open runs.
Write a function per way through it, name each in tests/replay/plays.py, run
{_RECORD}."""
NOT_APPROVED = f"""\
What {{workflow}} asks for in {{history}} was never approved. Run
{_RECORD}."""
CHANGED = """\
What {workflow} asks for when it is led through {history} has changed:

{difference}

Names or their order: put the change under workflow.patched, or replay fails and open runs get stuck.
Only options (timeouts, retries, queues, summaries): open runs take them over at their next step; no patch. If it is
meant so: `scripts/record-histories --approve`, and commit the difference of tests/replay/approved with your change."""
NOT_PLAYED = f"""\
No recorded history holds the patch {{patch}}, so nobody has led a workflow through its new way.
Raise the version in pyproject.toml, add or repeat a scenario that goes that way, run
{_RECORD}."""


def enrolled() -> dict[str, type]:
    """Every workflow of the registry by its wire name."""
    return {str(workflow._Definition.must_from_class(one).name): one for one in WORKFLOWS}  # noqa: SLF001


def approved(name: str) -> Mapping[str, list[str]]:
    """What the workflow may ask for, by the name of the history; {} where nothing was approved."""
    file = APPROVED / f"{name}.json"
    content: dict[str, list[str]] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return content


async def approve() -> None:
    """Approve what today's code asks for in every history."""
    APPROVED.mkdir(exist_ok=True)
    for name in enrolled():
        files = Library(workflow=name).files()
        if files:
            lines = await asked_in_each({file.path.stem: file.history() for file in files})
            (APPROVED / f"{name}.json").write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")


def playable() -> list[str]:
    """The name of every scenario of a workflow beside the requests: workflow, `/`, scenario."""
    return [f"{name}/{scenario}" for name, plays in PLAYS.items() for scenario in plays]


def missing() -> list[str]:
    """Those of them that no release has recorded."""
    found = {name: Library(workflow=name).missing(plays) for name, plays in PLAYS.items()}
    return [f"{name}/{scenario}" for name, scenarios in found.items() for scenario in scenarios]


async def record(chosen: Iterable[str], version: str) -> list[tuple[HistoryFile, WorkflowHistory]]:
    """Play these scenarios; gives each history and where it belongs, to be checked and kept.

    Raises `HistoryError` where one is recorded already.
    """
    split = [one.split("/") for one in chosen]
    wanted = [(Library(workflow=name), PLAYS[name][scenario], scenario) for name, scenario in split]
    for library, _, scenario in wanted:
        library.check_free(library.file(scenario, version))
    return [(library.file(scenario, version), await _played(play)) for library, play, scenario in wanted]


async def _played(play: Play) -> WorkflowHistory:
    with tempfile.TemporaryDirectory() as directory:
        async with running_server(Path(directory)) as address:
            client = await Client.connect(address, data_converter=DATA_CONVERTER, identity=IDENTITY)
            return await play(client)


def difference(name: str, history: str, before: list[str], now: list[str]) -> str | None:
    """What has changed and what to do, or None where nothing has."""
    if before == now:
        return None
    lines = unified_diff(before, now, "approved", "now", n=1, lineterm="")
    return CHANGED.format(workflow=name, history=history, difference="\n".join(lines))


def defined() -> Iterator[str]:
    """The name of every class in workflows/ that is declared a workflow."""
    for tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any(
                "workflow.defn" in ast.unparse(one) for one in node.decorator_list
            ):
                yield node.name


def patches() -> set[str]:
    """The id of every patch in workflows/ that is not deprecated yet."""
    calls = [node for tree in _trees() for node in ast.walk(tree) if isinstance(node, ast.Call)]
    asked_for = [call for call in calls if ast.unparse(call.func) == "workflow.patched"]
    return {str(ast.literal_eval(call.args[0])) for call in asked_for}


def _trees() -> list[ast.Module]:
    return [ast.parse(file.read_text(encoding="utf-8")) for file in sorted((CHECKOUT / "workflows").glob("*.py"))]
