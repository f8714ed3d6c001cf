"""`orchestrator dead-letters` as operators use it."""

from __future__ import annotations

import asyncio
import json
import signal
import uuid

from contracts.requests import ImageGenerationResult
from tests.dead_letters.desk import Desk
from tests.dead_letters.desk_worker import HOPELESS, NO_ODOO, UNKNOWN


async def test_what_filters_choose_is_redriven_by_a_batch_that_is_followed_to_its_end(desk: Desk) -> None:
    async with desk.working():
        ids = await desk.parked(3)
        desk.give("credit")
        options = ("--route", "event", "--reason", "credit was added", "--by", "ann", "--name", "nightly")
        ran = await desk.line.run("dead-letters", "redrive", *options, "--yes")
        again = await desk.line.call("dead-letters", "redrive", *options)
        listed = await desk.line.call("dead-letters", "batches", "--json")
        shown = await desk.line.call("dead-letters", "batch", "show", "nightly")
        assert await desk.redrives(ids) == [1, 1, 1]
    assert ran.code == 0, ran.err
    assert "nightly: done" not in ran.err
    for said in ("done", "redrive by ann: credit was added", "route event", "3 of 3"):
        assert said in shown.out
    (batch,) = [one for one in listed.document["batches"] if one["name"] == "nightly"]
    assert (batch["outcome"], batch["counts"]["succeeded"]) == ("done", 3)
    assert (again.code, again.err) == (1, "no dead letter matches (route event): nothing was done\n")


async def test_everything_needs_a_yes_where_nobody_can_be_asked(desk: Desk) -> None:
    async with desk.working():
        ids = await desk.parked(2)
        bare = await desk.line.call("dead-letters", "discard", "--reason", "r")
        everything = await desk.line.call("dead-letters", "discard", "--all", "--reason", "r")
        assert (await desk.line.call("dead-letters", "list", "--json")).document["total"] == 2
        sure = await desk.line.run("dead-letters", "discard", "--all", "--reason", "r", "--yes", "--json")
        results = [ImageGenerationResult.model_validate(await desk.handle(request_id).result()) for request_id in ids]
    assert bare.code == everything.code == 2
    assert "name request ids, give a filter, or use --all" in bare.err
    assert "--all needs --yes: there is nobody to ask" in everything.err
    assert (sure.code, sure.document["outcome"], sure.document["counts"]["taken"]) == (0, "done", 2)
    assert {result.outcome for result in results} == {"discarded"}


async def test_an_invalid_edit_is_told_for_each_request_and_changes_nothing(desk: Desk) -> None:
    async with desk.working():
        ids = await desk.parked(2)
        ran = await desk.line.run(
            "dead-letters", "redrive", *ids, "--edit", "width=wide", "--pace", "5", "--reason", "r"
        )
        assert await desk.redrives(ids) == [0, 0]
    assert ran.code == 1
    for request_id in ids:
        assert f"{request_id}: width: Input should be a valid integer" in ran.err
    assert "nothing was decided: the decision is not possible for 2 of 2" in ran.err


async def test_an_edit_that_is_impossible_for_one_of_those_named_changes_none(desk: Desk) -> None:
    async with desk.working():
        desk.give("credit")
        (callback,) = await desk.parked(1, mark=NO_ODOO)
        (desk.line.directory / "credit").unlink()
        (image,) = await desk.parked(1)
        ran = await desk.line.call(
            "dead-letters", "redrive", image, callback, "--edit", "prompt=a cat", "--reason", "r"
        )
        assert await desk.redrives([image, callback]) == [0, 0]
    told = dict(line.split(": ", 1) for line in ran.err.splitlines())
    assert (ran.code, ran.out) == (1, "")
    assert told[callback].startswith("only the callback failed")
    assert told[image] == "left alone, since the decision is not possible for another of them"


async def test_a_second_payment_left_unsaid_for_one_of_those_named_changes_none(desk: Desk) -> None:
    async with desk.working():
        (lost,), (plain,) = await desk.parked(1, UNKNOWN), await desk.parked(1)
        ran = await desk.line.call("dead-letters", "redrive", plain, lost, "--service", "spare", "--reason", "r")
        assert await desk.redrives([plain, lost]) == [0, 0]
    told = dict(line.split(": ", 1) for line in ran.err.splitlines())
    assert told[lost].startswith("an image may have been paid for already (OutcomeUnknown)")
    assert told[plain] == "left alone, since the decision is not possible for another of them"


async def test_a_filter_that_leaves_nothing_out_needs_a_yes_too(desk: Desk) -> None:
    async with desk.working():
        ids = await desk.parked(2)
        order = ("dead-letters", "discard", "--cause", "QuotaExhausted", "--reason", "r", "--detach")
        unsure = await desk.line.call(*order)
        kept = await desk.parked(1, route="other")
        some = await desk.line.call(*order, "--route", "event")
        results = [ImageGenerationResult.model_validate(await desk.handle(request_id).result()) for request_id in ids]
        assert (await desk.told(desk.handle(kept[0], "other"))).parked is not None
    assert (unsure.code, unsure.out) == (2, "")
    assert "this filter chooses all 2 dead letters and needs --yes: there is nobody to ask" in unsure.err
    assert (some.code, some.err) == (0, "")
    assert {result.outcome for result in results} == {"discarded"}


async def test_a_name_is_used_once(desk: Desk) -> None:
    async with desk.working():
        await desk.parked(1)
        name = f"once-{uuid.uuid4().hex[:6]}"
        order = ("dead-letters", "discard", "--route", "event", "--reason", "r", "--name", name, "--detach", "--yes")
        first = await desk.line.call(*order)
        second = await desk.line.call(*order)
    assert (first.code, first.err) == (0, "")
    assert "orchestrator dead-letters batch attach" in first.out
    assert second.code == 1


async def test_a_batch_is_paused_resumed_and_cancelled(desk: Desk) -> None:
    async with desk.working():
        await desk.parked(4)
        desk.give("credit")
        batch = await desk.order(pace=0.01)
        words = ("--reason", "let me look", "--by", "bob")
        paused = await desk.line.call("dead-letters", "batch", "pause", batch.name, *words)
        twice = await desk.line.call("dead-letters", "batch", "pause", batch.name, *words)
        attached = await desk.line.run("dead-letters", "batch", "attach", batch.name)
        resumed = await desk.line.call("dead-letters", "batch", "resume", batch.name, *words)
        cancelled = await desk.line.call("dead-letters", "batch", "cancel", batch.name, *words)
        await batch.result()
        late = await desk.line.call("dead-letters", "batch", "cancel", batch.name, *words)
    assert [ran.code for ran in (paused, resumed, cancelled)] == [0, 0, 0]
    assert (twice.code, twice.err) == (1, f"{batch.name}: the batch is paused already\n")
    assert attached.code == 1
    assert f"go on with: orchestrator dead-letters batch resume {batch.name}" in attached.err
    assert (late.code, late.err.startswith(f"{batch.name} has ended")) == (1, True)
    nobody = await desk.line.call("dead-letters", "batch", "show", "nobody")
    assert (nobody.code, nobody.err.startswith("there is no batch nobody")) == (1, True)


async def test_ctrl_c_leaves_the_batch_running(desk: Desk) -> None:
    async with desk.working():
        await desk.parked(4)
        desk.give("credit")
        batch = await desk.order(pace=0.01)
        following = await desk.line.start("dead-letters", "batch", "attach", batch.name)
        assert following.stderr is not None
        await following.stderr.readline()
        following.send_signal(signal.SIGINT)
        _, err = await following.communicate()
        report = await batch.report()
        await batch.handle.cancel()
        ended = await batch.result()
    assert following.returncode == 130
    assert f"follow it again with: orchestrator dead-letters batch attach {batch.name}" in err.decode()
    assert report.outcome is None
    assert ended.outcome == "cancelled"


async def test_without_a_worker_a_batch_waits_and_is_cancelled_by_signal(desk: Desk) -> None:
    async with desk.working():
        ids = await desk.parked(2)
    batch = await desk.order()
    shown = await desk.line.call("dead-letters", "batch", "show", batch.name)
    cancelled = await desk.line.call("dead-letters", "batch", "cancel", batch.name, "--reason", "a mistake")
    async with desk.working():
        report = await batch.result()
        assert await desk.redrives(ids) == [0, 0]
    assert "no worker answered" in shown.err
    assert "as a signal" in cancelled.out
    assert (report.outcome, report.decided) == ("cancelled", 0)


async def test_a_plan_says_what_it_costs_and_how_long_it_takes(desk: Desk) -> None:
    config = desk.line.config.read_text(encoding="utf-8")
    priced = config.replace("[services.main]\n", '[services.main]\nprice = "0.05"\nrate_per_second = 2\n')
    desk.line.config.write_text(priced, encoding="utf-8")
    async with desk.working():
        await desk.parked(3)
        ran = await desk.line.call("dead-letters", "plan", "--cause", "QuotaExhausted", "--canary", "1")
        document = (await desk.line.call("dead-letters", "plan", "--route", "event", "--json")).document
    none = await desk.line.call("dead-letters", "plan", "--campaign", "none")
    assert ran.code == 0
    for said in ("Redrive of 3 dead letters", "main 3", "QuotaExhausted 3", "about 0.15 USD", "3 at most"):
        assert said in ran.out
    assert (document["total"], document["payments"], document["cost"]) == (3, 3, {"USD": "0.15"})
    assert (none.code, none.err) == (1, "no dead letter matches (campaign none)\n")


async def test_a_dead_letter_is_shown_with_all_that_is_known(desk: Desk) -> None:
    async with desk.working():
        (request_id,) = await desk.parked(1, HOPELESS)
        ran = await desk.line.call("dead-letters", "show", request_id)
    without = await desk.line.call("dead-letters", "show", request_id)
    for said in (
        "no credit left",
        HOPELESS,
        "generate-image on images.main: 1 attempt(s), failed",
        "because QuotaExhausted: no credit left",
        f"Then: orchestrator dead-letters redrive {request_id} --route event --reason WHY (or with --service spare)",
        "parked as dead letter 1",
        "nothing",
    ):
        assert said in ran.out
    assert HOPELESS in without.out
    assert "the request is as Odoo sent it" in without.err


async def test_an_export_is_json_lines_with_the_context(desk: Desk) -> None:
    async with desk.working():
        ids = await desk.parked(2)
        printed = await desk.line.call("dead-letters", "export", "--route", "event")
        file = desk.line.directory / "letters.jsonl"
        written = await desk.line.call("dead-letters", "export", ids[0], "--output", str(file))
    rows = [json.loads(line) for line in printed.out.splitlines()]
    assert {row["letter"]["request_id"] for row in rows} == set(ids)
    assert {row["request"]["prompt"] for row in rows} == {"a fox"}
    assert all(row["failure"]["failure"] == "QuotaExhausted" and row["log"] and row["tried"] for row in rows)
    assert written.out == f"{file}: 1 dead letters\n"
    (line,) = file.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["letter"]["request_id"] == ids[0]


async def test_filters_by_step_and_age(desk: Desk) -> None:
    async with desk.working():
        desk.give("credit")
        (callback,) = await desk.parked(1, mark=NO_ODOO)
        (desk.line.directory / "credit").unlink()
        await desk.parked(1)

        async def total(*options: str) -> int:
            number: int = (await desk.line.call("dead-letters", "list", "--json", *options)).document["total"]
            return number

        asked = (("--step", "deliver"), ("--older-than", "1h"), ("--newer-than", "1h"), ("--user", "9"), (callback,))
        assert [await total(*one) for one in asked] == [1, 0, 2, 0, 1]
    wrong = await desk.line.call("dead-letters", "list", "--older-than", "soon")
    assert (wrong.code, "is no duration: write it as 30m, 2h or 3d" in wrong.err) == (2, True)


async def test_a_second_redrive_of_one_request_says_so(desk: Desk) -> None:
    async with desk.working():
        (request_id,) = await desk.parked(1)
        desk.give("credit")
        redrive = ("dead-letters", "redrive", request_id, "--reason", "r")
        both = await asyncio.gather(desk.line.run(*redrive), desk.line.run(*redrive))
        await desk.handle(request_id).result()
        late = await desk.line.call(*redrive)
        assert await desk.redrives([request_id]) == [1]
    said = "".join(ran.out + ran.err for ran in both)
    assert said.count(f"{request_id}: redrive taken") == 1
    assert (late.code, late.err) == (1, f"{request_id}: The request has ended (completed).\n")
