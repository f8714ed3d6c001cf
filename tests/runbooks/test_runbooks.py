"""The runbooks stay true: their commands are complete, and what they tell people to look for exists.

Links, options and settings of every page are checked in tests/docs.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from contracts import metrics
from contracts.alerts import Kind
from contracts.errors import FailureClass
from operations.cli import group

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = (CHECKOUT / "docs" / "runbooks.md").read_text()
SECTIONS = {found[1]: found[2] for found in re.finditer(r"^## (.+)\n((?:(?!## ).*\n)+)", PAGE, re.MULTILINE)}
SAID = (
    "its circuit is open, single calls try it again.",
    "circuit closed: the service answers again",
    "nothing is parked",
    "there is quota again",
    "do not deploy",
    "no worker answered",
    "sent as a signal, since no worker answered",
    "The request was not taken because the orchestrator is not available. Send it again.",
    "Temporal is not reachable",
    "There is no request with this id",
    "are not in the namespace yet",
    "MISSING: add a reference to it",
)
"""What the programs say, word by word."""
SOURCES = ("contracts", "workflows", "activities", "starter", "runtime", "operations")
OF_TEMPORAL = frozenset({"NonDeterminismError", "NondeterminismError"})

_COMMAND = re.compile(r"`?\borchestrator ((?:[a-z])[^`#|\n]*)")
_FENCED = re.compile(r"^ *```\w*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(orchestrator [^`]+)`")


def command_lines() -> Iterator[str]:
    """Whatever the page tells people to type, without the program's name."""
    for block in _FENCED.findall(PAGE):
        lines = (line.partition("#")[0].strip() for line in block.splitlines())
        yield from (line.removeprefix("orchestrator ") for line in lines if line.startswith("orchestrator "))
    for piece in _INLINE.findall(_FENCED.sub("", PAGE)):
        yield " ".join(piece.split()).removeprefix("orchestrator ")


@cache
def spoken() -> str:
    """All source text, so that a sentence that is wrapped over literals is found where it is in one piece."""
    files = (file for room in SOURCES for file in (CHECKOUT / room).rglob("*.py"))
    return "\n".join(file.read_text() for file in files)


def coded(pattern: str) -> set[str]:
    return set(re.findall(rf"`({pattern})`", PAGE))


def test_there_is_a_runbook_for_each_trouble() -> None:
    index = re.findall(r"\| \[(.+)\]\(#", PAGE)
    assert list(SECTIONS) == index
    assert len(index) == len(set(index)) == 9


@pytest.mark.parametrize("title", SECTIONS)
def test_each_runbook_has_its_parts(title: str) -> None:
    parts = ("**It is over when**", "**Do not**", "**Tried:**")
    assert [part for part in parts if part not in SECTIONS[title]] == []


@pytest.mark.parametrize("line", sorted(set(command_lines())))
def test_each_command_is_taken_as_it_stands(line: str) -> None:
    command: click.Command = group
    words = shlex.split(line)
    while isinstance(command, click.Group) and words:
        command = command.commands[words.pop(0)]
    if not isinstance(command, click.Group):
        command.make_context(command.name, words)


def test_a_command_that_lacks_a_required_option_is_noticed() -> None:
    with pytest.raises(click.MissingParameter):
        test_each_command_is_taken_as_it_stands("limits clear main --odoo")


def test_each_alert_exists() -> None:
    named = set(re.findall(r"[Aa]lert `([a-z-]+)`", PAGE))
    assert named >= {"service-down", "callback-target-down", "quota-exhausted", "dead-letter"}
    assert named <= {kind.value for kind in Kind}


def test_each_prometheus_rule_exists() -> None:
    rules = (CHECKOUT / "deploy" / "prometheus" / "alerts.yml").read_text()
    named = coded(r"Orchestrator\w+")
    assert named
    assert [rule for rule in named if f"alert: {rule}\n" not in rules] == []


def test_each_metric_of_ours_exists() -> None:
    named = {name.removesuffix("_total") for name in coded(r"orchestrator_\w+")}
    assert named
    assert named <= {one.name for one in metrics.ALL}


def test_each_cause_exists() -> None:
    named = coded(r"[A-Z][a-z]+(?:[A-Z][a-z]+)+") - OF_TEMPORAL - coded(r"Orchestrator\w+")
    assert {"QuotaExhausted", "OutcomeUnknown"} <= named
    assert named <= {str(cause) for cause in FailureClass}


@pytest.mark.parametrize("sentence", SAID)
def test_the_programs_say_what_the_page_quotes(sentence: str) -> None:
    assert sentence in " ".join(PAGE.split())
    assert sentence in spoken()
