"""The image store, and the command itself."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from operations.doctor import store
from operations.doctor.finding import Level
from tests.doctor.installation import levels, settings_of, the
from tests.operations.commandline import CommandLine, configured

GB = 10**9


async def test_a_store_that_works(tmp_path: Path) -> None:
    found = levels(await store.look(settings_of(tmp_path)))
    assert {found["store"], found["store signing key"]} == {Level.OK}
    assert [file for file in (tmp_path / "images").rglob("*") if file.is_file()] == [], "nothing is left behind"


def test_a_full_store_needs_room() -> None:
    found = store.unusable_verdict("/images", f"[Errno 28] {os.strerror(errno.ENOSPC)}")
    assert found.remedy is not None
    assert "retention" in found.remedy


async def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("a file in place of the directory", encoding="utf-8")
    found = the(await store.look(settings_of(tmp_path)), "store")
    assert (found.level, str(tmp_path / "images") in found.fact) == (Level.FAIL, True)


async def test_a_bucket_that_cannot_be_reached(tmp_path: Path) -> None:
    for name in ("id", "secret"):
        (tmp_path / name).write_text("made-up-key", encoding="utf-8")
    keys = {"access_key_id": f"file:{tmp_path / 'id'}", "secret_access_key": f"file:{tmp_path / 'secret'}"}
    bucket = {"kind": "s3", "bucket": "pictures", "endpoint": "http://127.0.0.1:9", **keys}
    found = the(await store.look(settings_of(tmp_path, store=bucket)), "store")
    assert (found.level, "cannot be reached" in found.fact) == (Level.FAIL, True)


@pytest.mark.parametrize(
    ("free", "total", "level"),
    [
        (50 * GB, 100 * GB, Level.OK),
        (5 * GB, 100 * GB, Level.OK),
        (GB, 3 * GB, Level.OK),
        (GB, 100 * GB, Level.WARN),
        (GB // 10, GB, Level.FAIL),
    ],
)
def test_room_is_told_before_it_is_gone(free: int, total: int, level: Level) -> None:
    assert store.room_verdict(free, total).level is level


@pytest.fixture
def offline(tmp_path: Path) -> CommandLine:
    """A command line that finds neither Temporal nor any service."""
    return configured(tmp_path)


async def test_the_command_tells_one_line_each_and_fails(offline: CommandLine) -> None:
    ran = await offline.call("doctor", "temporal", "services", "store", "configuration")
    assert (ran.code, ran.err) == (1, "")
    *lines, summary = ran.out.splitlines()
    assert [line.split()[0] for line in lines].count("fail") == 3
    assert "start it or set TEMPORAL_ADDRESS" in ran.out
    assert summary.endswith("3 failures")
    assert "made-up" not in ran.out


async def test_the_command_as_one_document(offline: CommandLine) -> None:
    ran = await offline.call("doctor", "store", "--json")
    assert (ran.code, ran.document["healthy"]) == (0, True)
    assert {finding["level"] for finding in ran.document["findings"]} == {"ok"}


async def test_warnings_count_where_it_is_asked(offline: CommandLine) -> None:
    assert (await offline.call("doctor", "clock")).code == 0
    assert (await offline.call("doctor", "clock", "--strict")).code == 1


async def test_a_check_that_there_is_not(offline: CommandLine) -> None:
    ran = await offline.call("doctor", "heart")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
