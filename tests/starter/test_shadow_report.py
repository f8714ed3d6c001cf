"""What the journal of copies and callbacks tells: kept within bounds, and compared with what we did."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from operations.shadow import OurOutcome, compare
from runtime.configuration import load_settings
from starter.shadow.journal import (
    OLDER_FILES,
    Answered,
    CallbackRecord,
    CopyRecord,
    DroppedRecord,
    ImageFacts,
    Record,
    ShadowJournal,
)
from starter.wire.server import listening
from tests.operations.commandline import CommandLine
from tests.starter.at_work import FORBIDDEN, NO_CREDIT, Studio, png, working
from tests.starter.front import Front, event, fresh_id, running_starter
from tests.starter.old_system import SECRET, OldSystem, Site, answered, callback, failed, told
from tests.temporal_server import connected, running_server


def copied(request_id: str, theirs: Answered | None, ours: Answered | None = None) -> CopyRecord:
    ours = ours or answered()
    workflow = f"r/{request_id}"
    return CopyRecord(at=1, route="r", request_id=request_id, workflow_id=workflow, ours=ours, theirs=theirs)


def outcome(request_id: str, *, completed: bool, code: str | None = None, image: str | None = None) -> CallbackRecord:
    images = (ImageFacts(media_type=image, width=1, height=1),) if completed else ()
    return CallbackRecord(
        at=1,
        route="r",
        request_id=request_id,
        workflow_id=f"r/{request_id}",
        completed=completed,
        error_code=code,
        images=images,
    )


async def test_acknowledgements_are_compared_by_status_and_content() -> None:
    records: list[Record] = [
        copied("same", answered()),
        copied("order", answered(body='{"b": 2, "a": 1}'), answered(body='{"a":1,"b":2}')),
        copied("status", answered(404)),
        copied("body", answered(body="<html>")),
        copied("none", None),
    ]
    report = await compare(records, _nobody)
    compared = report.acknowledgements
    assert (report.copies, compared.compared, compared.alike) == (5, 4, 2)
    assert [(one.request_id, one.what) for one in compared.differences] == [("status", "status"), ("body", "body")]
    assert [one.request_id for one in report.unanswered] == ["none"]


async def _nobody(_workflow_id: str) -> OurOutcome | None:
    return None


async def test_outcomes_are_compared_by_ending_code_and_image() -> None:
    png_image = (ImageFacts(media_type="image/png", width=1, height=1, size=5),)
    ours = {
        "r/same": OurOutcome(completed=True, images=png_image),
        "r/url": OurOutcome(completed=True, images=png_image),
        "r/type": OurOutcome(completed=True, images=png_image),
        "r/code": OurOutcome(completed=False, error_code="A"),
        "r/ending": OurOutcome(completed=False, error_code="A"),
        "r/running": OurOutcome(),
    }
    records: list[Record] = [
        outcome("same", completed=False),
        outcome("same", completed=True, image="image/png"),
        outcome("url", completed=True),
        outcome("type", completed=True, image="image/jpeg"),
        outcome("code", completed=False, code="B"),
        outcome("ending", completed=True, image="image/png"),
        outcome("running", completed=True),
        outcome("stranger", completed=True),
        DroppedRecord(at=1, route="r", count=3),
        copied("same", answered()),
        copied("silent", answered()),
    ]

    async def look(workflow_id: str) -> OurOutcome | None:
        return ours.get(workflow_id)

    report = await compare(records, look)
    assert (report.outcomes.compared, report.outcomes.alike) == (5, 2)
    assert [(one.request_id, one.what) for one in report.outcomes.differences] == [
        ("type", "image"),
        ("code", "error code"),
        ("ending", "outcome"),
    ]
    assert (report.unfinished, report.unknown, report.untold, report.dropped) == (1, 1, 1, 3)


def test_the_journal_is_bounded_and_keeps_the_newest(tmp_path: Path) -> None:
    journal = ShadowJournal(tmp_path, file_limit=1000)
    for number in range(100):
        journal.append(DroppedRecord(at=number, route="r", count=1))
    kept = [record.at for record in journal.records()]
    files = sorted((tmp_path / "shadow").glob("journal*"))
    assert (len(files), kept[-1], kept == sorted(kept)) == (OLDER_FILES + 1, 99, True)
    assert all(file.stat().st_size <= 1000 for file in files)


def test_a_line_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    journal = ShadowJournal(tmp_path)
    journal.append(DroppedRecord(at=1, route="r", count=1))
    with (tmp_path / "shadow" / "journal.jsonl").open("ab") as file:
        file.write(b'{"kind":"copy","at"\n\xff\n')
    journal.append(DroppedRecord(at=2, route="r", count=1))
    assert [record.at for record in journal.records()] == [1, 2]


async def test_the_report_shows_where_the_old_system_did_otherwise(tmp_path: Path) -> None:
    old = OldSystem()
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(running_server(tmp_path))
        url = await stack.enter_async_context(listening(old, "127.0.0.1", 0))
        line = CommandLine(tmp_path, address)
        line.config.write_text(_CONFIG.format(url=url, directory=tmp_path), encoding="utf-8")
        (tmp_path / "callback-secret").write_text(SECRET, encoding="utf-8")
        settings = load_settings(line.config)
        client = await connected(address)
        front = await stack.enter_async_context(running_starter(settings, client))
        await stack.enter_async_context(working(client, Studio(settings.store.path)))
        ids = [fresh_id() for _ in range(4)]
        for request_id, prompt in zip(ids, ("a fox", "a cat", FORBIDDEN, NO_CREDIT), strict=True):
            await front.post("copied", event(requestId=request_id, prompt=prompt))
            await _ended(front, request_id)
        outcomes = (callback(ids[0]), callback(ids[1], png(8, 8)), failed(ids[2], "CONTENT_REJECTED"), callback(ids[3]))
        for body in outcomes:
            await told(front, "copied", body)
        await Site(front, old, ShadowJournal(settings.store.path)).records(8)
        document = (await line.run("shadow", "report", "--json", "--since", "1h")).document
        shown = await line.run("shadow", "report", "--route", "copied")
        nothing = await line.run("shadow", "report", "--since", "2999-01-01")
        wrong = await line.run("shadow", "report", "--route", "copid")
    assert (document["copies"], document["acknowledgements"]["alike"]) == (4, 4)
    compared = document["outcomes"]
    assert (compared["compared"], compared["alike"], compared["differ"], compared["untold"]) == (4, 2, 2, 0)
    assert [(one["request_id"], one["what"]) for one in compared["examples"]] == [
        (ids[1], "image"),
        (ids[3], "outcome"),
    ]
    assert [one["theirs"] for one in compared["examples"]] == ["image/png 8x8", "completed"]
    assert (shown.code, "2 of 4 alike" in shown.out, ids[1] in shown.out) == (0, True, True)
    assert (nothing.code, nothing.out[:20]) == (0, "the journal is empty")
    assert (wrong.code, wrong.err[:28]) == (2, "there is no route 'copid'; c")


async def _ended(front: Front, request_id: str) -> None:
    async with asyncio.timeout(20):
        while True:
            described = await front.workflow("copied", request_id).describe()
            if described.close_time is not None or "parked" in await described.memo():
                return
            await asyncio.sleep(0.02)


_CONFIG = """\
[store]
path = "{directory}/store"
[odoos.main]
database = "acme"
base_url = "https://odoo.example"
[services.main]
kind = "flux_lora"
base_url = "http://127.0.0.1:9"
[routes.copied]
path = "copied"
dialect = "event"
odoo = "main"
services = ["main"]
shadow = "{url}/webhook/old"
[routes.copied.callback]
path = "/callback"
auth = {{ kind = "header", name = "X-N8N-Signature", secret = "file:{directory}/callback-secret" }}
"""
