"""What is wrong is said in one line that tells what to do, with the right exit code."""

from __future__ import annotations

import pytest

from operations.cli import execute, failure_of
from operations.commands.decisions import edit
from runtime.configuration import ConfigurationError
from runtime.temporal import TemporalUnreachableError
from tests.operations.commandline import CommandLine

REASON = ("--reason", "r")
BAD_USES = {
    "unknown_command": (("statsu",), "'status'?"),
    "unknown_option": (("status", "x", "--foo"), "No such option '--foo'"),
    "missing_option": (("send",), "Missing option '--prompt'"),
    "no_reason": (("dead-letters", "redrive", "x"), "Missing option '--reason'"),
    "blank_reason": (("dead-letters", "discard", "x", "--reason", " "), "must not be empty"),
    "nothing_named": (("dead-letters", "redrive", *REASON), "give a filter, or use --all"),
    "ids_and_all": (("dead-letters", "redrive", "x", "--all", *REASON), "name request ids, or use --all"),
    "no_age": (("dead-letters", "discard", "--older-than", "soon", *REASON), "write it as 30m, 2h or 3d"),
    "nobody_to_ask": (("dead-letters", "discard", "--all", "--json", *REASON), "needs --yes"),
    "unknown_field": (("dead-letters", "redrive", "x", *REASON, "--edit", "promt=x"), "one of the fields"),
    "unknown_cause": (("dead-letters", "list", "--cause", "Bad"), "is not one of"),
    "live_paths": (("replay", "--live", "x.json"), "--live takes no paths"),
    "query_without_live": (("replay", "--query", "x"), "--query goes with --live"),
}


@pytest.mark.parametrize(("arguments", "said"), BAD_USES.values(), ids=BAD_USES)
def test_bad_use_is_one_line(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = execute(arguments)
    ran = capsys.readouterr()
    assert (code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert said in ran.err
    assert "--help)" in ran.err


async def test_a_failure_is_one_line_on_standard_error(offline: CommandLine) -> None:
    ran = await offline.run("dead-letters", "discard", "x")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "Missing option '--reason'. (see: orchestrator dead-letters discard --help)\n"


async def test_a_broken_configuration_is_one_line_per_problem(offline: CommandLine) -> None:
    offline.config.write_text("[starter]\nprot = 1\n[workr]\n", encoding="utf-8")
    ran = await offline.run("send", "--prompt", "x")
    assert (ran.code, ran.out) == (2, "")
    assert [line.split(": unknown key")[0] for line in ran.err.splitlines()] == [
        "configuration: starter.prot",
        "configuration: workr",
    ]


async def test_the_command_alone_shows_its_help(offline: CommandLine) -> None:
    ran = await offline.run()
    assert ran.code == 2
    assert "dead-letters" in ran.err


async def test_the_tests_get_their_arguments(offline: CommandLine) -> None:
    ran = await offline.run("test", "--version")
    assert (ran.code, ran.out.split()[0]) == (0, "pytest")


def test_what_nobody_foresaw_is_one_line_too() -> None:
    assert failure_of(KeyError("odd\nthing")).format_message().startswith("unexpected KeyError: 'odd")
    assert failure_of(TemporalUnreachableError("not there")).exit_code == 2
    assert failure_of(ConfigurationError(["a", "b"])).format_message() == "configuration: a\nconfiguration: b"
    assert failure_of(FileNotFoundError(2, "No such file", "x.png")).format_message() == "x.png: No such file"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("prompt=a = b", ("prompt", "a = b")),
        ("prompt=[fox] at night", ("prompt", "[fox] at night")),
        ("seed=7", ("seed", "7")),
        ("seed=null", ("seed", None)),
        ('prompt="null"', ("prompt", "null")),
        ('custom={"loras": ["a"]}', ("custom", {"loras": ["a"]})),
    ],
)
def test_an_edit_is_json_or_text(text: str, read: tuple[str, object]) -> None:
    assert edit(text) == read
