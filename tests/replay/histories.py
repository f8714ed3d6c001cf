"""The recorded histories on disk: one file per scenario and release, each sealed by its SHA-256."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import WorkflowHistory

from contracts.identity import sha256_hex
from contracts.names import WORKFLOW

CHECKOUT = Path(__file__).resolve().parents[2]
DIRECTORY = CHECKOUT / "tests" / "histories"
LESSON = (
    "histories are never re-recorded: they stand for requests that are still running somewhere. Restore the file, and "
    "put the change of the workflow under workflow.patched (docs/replay.md)"
)


class HistoryError(Exception):
    """A history cannot be recorded, or is not what was recorded. The message says what to do."""


@dataclass(frozen=True, slots=True)
class HistoryFile:
    """One recorded history, named `<scenario>__<release>.json`."""

    path: Path

    @property
    def scenario(self) -> str:
        """The scenario's name."""
        return self.path.stem.partition("__")[0]

    @property
    def release(self) -> str:
        """The release whose code made it, such as 0.1.0."""
        return self.path.stem.partition("__")[2]

    def history(self) -> WorkflowHistory:
        """What was recorded."""
        return WorkflowHistory.from_json(self.scenario, self.path.read_text(encoding="utf-8"))

    @property
    def digest(self) -> str:
        """SHA-256 of the file, in hex."""
        return sha256_hex(self.path.read_bytes())


class Library:
    """The histories of one kind of workflow, and their seals."""

    def __init__(self, directory: Path = DIRECTORY, workflow: str = WORKFLOW) -> None:
        self._histories = directory / workflow
        self._seals = directory / "SHA256SUMS"

    def files(self) -> list[HistoryFile]:
        """Everything that lies there, by name."""
        return [HistoryFile(path) for path in sorted(self._histories.iterdir())] if self._histories.is_dir() else []

    def missing(self, scenarios: Iterable[str]) -> list[str]:
        """The scenarios that no release has recorded."""
        known = {file.scenario for file in self.files()}
        return [scenario for scenario in scenarios if scenario not in known]

    def file(self, scenario: str, release: str) -> HistoryFile:
        """Where the history of a scenario belongs."""
        return HistoryFile(self._histories / f"{scenario}__{release}.json")

    def latest(self) -> dict[str, WorkflowHistory]:
        """The newest history of each scenario."""
        ordered = sorted(self.files(), key=lambda file: [int(number) for number in re.findall(r"\d+", file.release)])
        return {file.scenario: file.history() for file in ordered}

    def seals(self) -> dict[str, str]:
        """The digest of each file by its name, as `sha256sum --check` reads them."""
        lines = self._seals.read_text(encoding="utf-8").splitlines() if self._seals.is_file() else []
        sealed = [(Path(name), digest) for digest, name in (line.split("  ", 1) for line in lines)]
        return {path.name: digest for path, digest in sealed if path.parent.name == self._histories.name}

    def broken_seals(self) -> list[str]:
        """One line for each file that is not what was recorded, is missing, or was never sealed."""
        seals, digests = self.seals(), {file.path.name: file.digest for file in self.files()}
        wrong = sorted(name for name in {*seals, *digests} if seals.get(name) != digests.get(name))
        return [f"{name}: {LESSON}" for name in wrong]

    def check_free(self, file: HistoryFile) -> None:
        """Raises `HistoryError` where this history was recorded before."""
        if file.path.exists() or file.path.name in self.seals():
            raise HistoryError(f"{file.path.name} is there already: {LESSON}")

    def add(self, file: HistoryFile, content: str) -> None:
        """Write and seal a new history; raises `HistoryError` where there is one."""
        self.check_free(file)
        self._histories.mkdir(parents=True, exist_ok=True)
        file.path.write_text(content, encoding="utf-8")
        with self._seals.open("a", encoding="utf-8") as seals:
            seals.write(f"{file.digest}  {self._histories.name}/{file.path.name}\n")
