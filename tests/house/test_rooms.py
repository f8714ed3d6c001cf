"""The rules of the house that a reader may rely on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {
    "contracts": set[str](),
    "runtime": {"contracts"},
    "workflows": {"contracts"},
    "activities": {"contracts", "runtime"},
    "starter": {"contracts", "runtime"},
    "worker": {"contracts", "runtime", "activities", "workflows"},
    "operations": {"contracts", "runtime", "activities", "workflows", "starter", "worker"},
}
"""Each room and the rooms it may import."""
ENVIRONMENT_READERS = {"runtime/secrets.py", "runtime/configuration.py", "runtime/environment.py"}
"""The modules that read the environment."""
PASSES_ENVIRONMENT_ON = {"operations/supervisor.py"}
"""Hands the environment on to child processes."""
LONGEST_MODULE, LONGEST_FUNCTION = 300, 40


def _modules() -> list[Path]:
    return sorted(path for room in ROOMS for path in [*ROOT.glob(f"{room}/**/*.py"), *ROOT.glob(f"{room}.py")])


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


MODULES = pytest.mark.parametrize("module", _modules(), ids=_name)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_every_room_is_there() -> None:
    assert {_name(path).partition("/")[0].removesuffix(".py") for path in _modules()} == set(ROOMS)


@MODULES
def test_imports_point_one_way(module: Path) -> None:
    room = _name(module).partition("/")[0].removesuffix(".py")
    ours = set(_imported(_tree(module))) & set(ROOMS)
    assert ours <= ROOMS[room] | {room}


@MODULES
def test_modules_and_functions_stay_short(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert _statement_lines(node) <= LONGEST_FUNCTION, f"{node.name} is too long"


def _statement_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    body = function.body[1:] if documented else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@MODULES
def test_only_the_settings_read_the_environment(module: Path) -> None:
    if _name(module) in ENVIRONMENT_READERS | PASSES_ENVIRONMENT_ON:
        return
    source = module.read_text(encoding="utf-8")
    assert "os.environ" not in source
    assert "getenv" not in source


@MODULES
def test_no_module_is_a_drawer(module: Path) -> None:
    assert module.stem not in {"utils", "util", "helpers", "common", "misc", "platform", "types"}


def test_the_worker_stays_under_sixty_lines() -> None:
    assert len((ROOT / "worker.py").read_text(encoding="utf-8").splitlines()) < 60


def test_workflows_import_nothing_but_contracts_temporal_and_the_standard_library() -> None:
    standard = {"__future__", "abc", "asyncio", "collections", "contextlib", "datetime", "json", "typing"}
    allowed = {"contracts", "workflows", "temporalio", *standard}
    for module in ROOT.glob("workflows/*.py"):
        assert set(_imported(_tree(module))) <= allowed, module.name
