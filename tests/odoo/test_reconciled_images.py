"""The images in Odoo, against those that were delivered: what is gone, changed, there twice, or strange."""

from __future__ import annotations

import base64

import httpx

from contracts.reconciliation import Kind, Repair
from contracts.requests import Outcome
from operations.odoo.bridge import REQUEST
from tests.odoo.running import until
from tests.odoo.sides import TOKEN, Sides
from tests.starter.at_work import png

STRANGER = "INSERT INTO ai_image_result (request_id, attachment_id, sha256) VALUES ({}, {}, '{}')"


async def test_an_image_that_was_deleted_is_attached_again(sides: Sides) -> None:
    row = await sides.completed()
    (before,) = await sides.site.pictures(row["id"])
    await sides.odoo.admin.call("ir.attachment", "unlink", [before["attachment_id"][0]])
    (finding,) = await sides.found()
    assert (finding.kind, finding.repair) == (Kind.NOT_ATTACHED, Repair.REDELIVER)
    (result,) = await sides.repaired()
    assert result.repaired, result.said
    (after,) = await sides.site.pictures(row["id"])
    assert after["sha256"] == before["sha256"]
    assert (await sides.site.record(row["id"]))["state"] == "completed"
    assert await sides.found() == []


async def test_what_comes_back_is_repaired_by_order_only(sides: Sides) -> None:
    row = await sides.completed()
    first, second = await sides.lost_again(row), await sides.lost_again(row)
    assert (first.repaired, second.repaired) == (True, False)
    assert "repaired before and is back" in (second.said or "")
    (result,) = await sides.repaired()
    assert result.repaired
    assert await sides.found() == []


async def test_an_image_that_was_overwritten_is_replaced(sides: Sides) -> None:
    row = await sides.completed()
    (before,) = await sides.site.pictures(row["id"])
    other = base64.b64encode(png()).decode()
    await sides.odoo.admin.write("ir.attachment", before["attachment_id"][0], datas=other)
    (finding,) = await sides.found()
    assert finding.kind is Kind.NOT_ATTACHED
    assert finding.attachments == (before["attachment_id"][0],)
    (result,) = await sides.repaired()
    assert result.repaired, result.said
    (after,) = await sides.site.pictures(row["id"])
    assert after["sha256"] == before["sha256"]
    assert await sides.found() == []


async def test_copies_go_and_the_image_stays(sides: Sides) -> None:
    row = await sides.completed()
    (picture,) = await sides.site.pictures(row["id"])
    same = {"name": f"{row['request_key']}-1.png", "res_model": REQUEST, "res_id": row["id"]}
    content = base64.b64encode(picture["content"]).decode()
    mine = await sides.odoo.admin.create("ir.attachment", **{**same, "name": "what I drew.png"}, datas=content)
    copy = await sides.odoo.admin.create("ir.attachment", **same, datas=content)
    (finding,) = await sides.found()
    assert (finding.kind, finding.repair, finding.attachments) == (Kind.TWICE, Repair.DEDUPLICATE, (copy,))
    (result,) = await sides.repaired()
    assert result.repaired, result.said
    assert [each["id"] for each in await sides.site.pictures(row["id"])] == [picture["id"]]
    assert await sides.odoo.admin.search("ir.attachment", ["id", "in", [copy, mine]]) == [{"id": mine}]
    assert await sides.found() == []


async def test_another_image_is_reported_and_left_to_people(sides: Sides) -> None:
    row = await sides.completed()
    content = base64.b64encode(png()).decode()
    where = {"name": "x.png", "res_model": REQUEST, "res_id": row["id"]}
    other = await sides.odoo.admin.create("ir.attachment", **where, datas=content)
    await sides.odoo.sql(STRANGER.format(row["id"], other, "ab" * 32))
    try:
        (result,) = await sides.repaired()
        assert (result.finding.kind, result.finding.repair, result.repaired) == (Kind.TWICE, None, False)
        assert str(other) in result.finding.detail
    finally:
        await sides.odoo.admin.call("ir.attachment", "unlink", [other])
    assert await sides.found() == []


async def test_an_odoo_without_the_addon_has_its_attachments_compared(sides: Sides) -> None:
    partner = await sides.stock.admin.create("res.partner", name="a red fox")
    body = {"_action": "Draw(#1)", "_model": "res.partner", "_id": partner}
    async with httpx.AsyncClient(base_url=sides.front, trust_env=False) as http:
        assert (await http.post(f"/webhook/draw/{TOKEN}", json=body)).status_code == 200
    of_partner = f'Route = "draw" AND Outcome = "{Outcome.COMPLETED}" AND ExecutionStatus = "Completed"'
    await until(lambda: sides.counted(of_partner), "the request has not completed")
    report = await sides.run(odoos=("stock",))
    assert report.left == 0
    assert len(report.odoos[0].comparison.notes) == 2
    where = (["res_model", "=", "res.partner"], ["res_id", "=", partner], ["name", "like", "ai-image-"])
    (attachment,) = await sides.stock.admin.search("ir.attachment", *where, fields=("checksum",))
    await sides.stock.admin.call("ir.attachment", "unlink", [attachment["id"]])
    (result,) = await sides.repaired(odoos=("stock",), by=None)
    assert (result.finding.kind, result.finding.repair) == (Kind.NOT_ATTACHED, Repair.ATTACH)
    assert not result.repaired
    (result,) = [result for each in (await sides.run(odoos=("stock",), repair=True)).odoos for result in each.results]
    assert result.repaired, result.said
    (again,) = await sides.stock.admin.search("ir.attachment", *where, fields=("checksum",))
    assert again["checksum"] == attachment["checksum"]
    assert await sides.found(odoos=("stock",)) == []
