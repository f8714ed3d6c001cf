"""The pages say what the code does: links, commands, options, settings, and the tables that copy the code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from contracts import search_attributes
from contracts.dialects import DIALECTS
from contracts.errors import RULES, Ending
from contracts.requests import Outcome, Stage
from operations.cli import group
from runtime.settings_schema import Node, child, keys, root

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"
PAGES = [CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
SECTIONS = frozenset(keys(root()))
SHORT = {"callback": "routes.NAME.callback", "retry": "services.NAME.retry"}
"""How pages shorten settings whose place is clear."""

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_FENCED = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?:^|[\s$(/])(?:\./)?orchestrator((?:[ \t]+[^\s`|;&>#)]+)*)")
_SETTING = re.compile(r"[a-z_]+(?:\.[A-Za-z_*]+)+")
_FILE = re.compile(r"\.(?:py|md|toml|yml|db|log|json|html)$")


def page_id(page: Path) -> str:
    return str(page.relative_to(CHECKOUT))


def prose(page: Path) -> str:
    return _FENCED.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def table(page: str, first_column: str) -> list[list[str]]:
    """The rows of the table whose head begins with that column."""
    text = (DOCS / page).read_text()
    found = re.search(rf"^\| {re.escape(first_column)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert found is not None, f"{page} has no table that begins with {first_column}"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found[1].splitlines()]


def plain(cell: str) -> str:
    return cell.strip("` ")


def commands(page: Path) -> Iterator[str]:
    """What follows `orchestrator` wherever a page writes a command."""
    text = page.read_text()
    blocks = [re.sub(r"\\\n\s*", "", block) for block in _FENCED.findall(text)]
    code = [line for block in blocks for line in block.splitlines() if not line.startswith("#")]
    for piece in [*code, *_CODE.findall(prose(page))]:
        yield from (found[1] for found in _COMMAND.finditer(piece))


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in _LINK.findall(prose(page)):
        path, _, anchor = target.partition("#")
        if ":" in path:
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_command_and_option_exists(page: Path) -> None:
    assert [problem for line in commands(page) if (problem := command_problem(line))] == []


def command_problem(line: str) -> str | None:
    """What is wrong with the words after `orchestrator`, or None."""
    command: click.Command = group
    words = iter(shlex.split(re.sub("[\"']", "", line).replace("...", "")))
    for word in words:
        if word.startswith("-"):
            option = option_of(command, word)
            if option is None:
                return f"{line}: no option {word}"
            if command is group and not option.is_flag:
                next(words, None)
        elif isinstance(command, click.Group):
            chosen = command.commands.get(word.partition("|")[0])
            if chosen is None:
                return f"{line}: no command {word}"
            command = chosen
    return None


def option_of(command: click.Command, word: str) -> click.Option | None:
    if command.name == "test":
        return click.Option(["--pytest"], is_flag=True)
    options = [one for one in command.get_params(click.Context(command)) if isinstance(one, click.Option)]
    return next((one for one in options if word.partition("=")[0] in one.opts), None)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_setting_exists(page: Path) -> None:
    named = [code for code in _CODE.findall(prose(page)) if _SETTING.fullmatch(code) and not _FILE.search(code)]
    full = {code: ".".join([SHORT.get(head := code.split(".")[0], head), *code.split(".")[1:]]) for code in named}
    assert [code for code, path in full.items() if path.split(".")[0] in SECTIONS and not is_setting(path)] == []


def is_setting(path: str) -> bool:
    node: Node | None = root()
    for part in path.split("."):
        node = child(node, part) if node is not None else None
    return node is not None


def test_the_contract_lists_every_failure_class() -> None:
    told = [[plain(cell) for cell in row] for row in table("contract.md", "Class")]
    assert told == [[failure, rule.code, rule.retry, rule.ending, rule.actor] for failure, rule in RULES.items()]


def test_operators_read_the_remedy_of_every_dead_letter() -> None:
    told = [[plain(cell) for cell in row] for row in table("operations.md", "Cause")]
    dead = {failure: rule for failure, rule in RULES.items() if rule.ending is Ending.DEAD_LETTER}
    assert told == [[failure, rule.code, rule.remedy] for failure, rule in dead.items()]


def test_operators_read_every_search_attribute_stage_and_outcome() -> None:
    told = {plain(row[0]): set(_CODE.findall(row[1])) for row in table("operations.md", "Search attribute")}
    assert list(told) == [key.name for key in search_attributes.ALL]
    assert told["Stage"] == set(Stage)
    assert told["Outcome"] == set(Outcome)


def test_the_contract_lists_every_dialect() -> None:
    told = {plain(row[0]): (plain(row[3]), plain(row[4])) for row in table("contract.md", "Dialect")}
    assert told == {name: (one.envelope, one.callback_header) for name, one in DIALECTS.items()}


def test_every_command_is_in_the_readme() -> None:
    named = {line.split()[0] for line in commands(CHECKOUT / "README.md") if line.split()}
    assert set(group.commands) <= named


def test_every_decision_says_what_was_rejected() -> None:
    decisions = sorted((DOCS / "decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in decisions] == list(range(1, len(decisions) + 1))
    assert [page.name for page in decisions if "**Rejected." not in page.read_text()] == []


def test_pictures_are_small() -> None:
    pictures = sorted(DOCS.rglob("*.png"))
    assert pictures
    assert [picture.name for picture in pictures if picture.stat().st_size > 200_000] == []
