"""What the old system answered and told beside us: JSON Lines below the store's directory, bounded, append-only."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from contracts.model import Frozen

FILE_LIMIT = 32 * 2**20
"""Bytes after which a new file is begun."""
OLDER_FILES = 4
"""Full files that are kept beside the current one."""
DIRECTORY = "shadow"
"""Below `store.path`."""


class Answered(Frozen):
    """One answer to a webhook request."""

    status: int
    sha256: str
    """Of the whole body."""
    size: int
    """Bytes of the whole body."""
    head: str
    """The body's first 2 KB as text, secrets hidden."""
    ms: float
    """Milliseconds until it was there."""


class CopyRecord(Frozen):
    """One request that was copied: our answer and theirs."""

    kind: Literal["copy"] = "copy"
    at: float
    """Epoch seconds."""
    route: str
    request_id: str
    workflow_id: str
    ours: Answered
    theirs: Answered | None = None
    problem: str | None = None
    """Why there is no answer of theirs."""


class ImageFacts(Frozen):
    """What is known of an image without its pixels; nothing of one that came as a URL."""

    media_type: str | None = None
    width: int | None = None
    """Pixels."""
    height: int | None = None
    size: int | None = None
    """Bytes."""


class CallbackRecord(Frozen):
    """One outcome that the old system told."""

    kind: Literal["callback"] = "callback"
    at: float
    route: str
    request_id: str
    workflow_id: str
    completed: bool
    error_code: str | None = None
    images: tuple[ImageFacts, ...] = ()


class DroppedRecord(Frozen):
    """Copies that were not sent because too many waited."""

    kind: Literal["dropped"] = "dropped"
    at: float
    route: str
    count: int


Record = Annotated[CopyRecord | CallbackRecord | DroppedRecord, Field(discriminator="kind")]
_RECORD: TypeAdapter[CopyRecord | CallbackRecord | DroppedRecord] = TypeAdapter(Record)


class ShadowJournal:
    """The records of all starters that share a store's directory."""

    def __init__(self, store: Path, file_limit: int = FILE_LIMIT) -> None:
        self._directory = store / DIRECTORY
        self._file_limit = file_limit

    def append(self, record: Record) -> None:
        """Add one record; raises `OSError`. Blocks: call it through `asyncio.to_thread`."""
        line = record.model_dump_json().encode() + b"\n"
        with self._locked(fcntl.LOCK_EX):
            path = self._file(0)
            if path.exists() and path.stat().st_size + len(line) > self._file_limit:
                self._rotate()
            with path.open("ab") as file:
                file.write(line)

    def records(self) -> Iterator[Record]:
        """Every record, oldest first; lines that cannot be read (a full disk, another version) are passed over."""
        if not self._directory.is_dir():
            return
        with self._locked(fcntl.LOCK_SH):
            files = [self._file(number) for number in range(OLDER_FILES, -1, -1)]
            opened = [file.open("rb") for file in files if file.exists()]
        for file in opened:
            with file:
                for line in file:
                    try:
                        yield _RECORD.validate_json(line)
                    except ValidationError:
                        continue

    def _file(self, number: int) -> Path:
        return self._directory / (f"journal.{number}.jsonl" if number else "journal.jsonl")

    def _rotate(self) -> None:
        for number in range(OLDER_FILES, 0, -1):
            newer = self._file(number - 1)
            if newer.exists():
                newer.replace(self._file(number))

    @contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        self._directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, kind)
            yield
        finally:
            os.close(descriptor)
