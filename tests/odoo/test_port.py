"""One suite for both adapters of the Odoo port, against a real Odoo: what they read, write, and say of failures."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from activities.odoo.connections import OdooConnections
from activities.odoo.errors import OdooRefusedError
from activities.odoo.port import OdooPort
from activities.services.transport import new_client
from contracts.callbacks import Verdict
from contracts.errors import FailureClass
from runtime.settings import OdooSettings
from tests.odoo.running import RunningOdoo
from tests.starter.at_work import png

BOT = "image-bot"
TIMEOUT_S = 30.0
_MAKE_BOT = """
import json
from datetime import datetime, timedelta
user = env['res.users'].create({'name': 'Image bot', 'login': 'image-bot', 'email': 'bot@odoo.example'})
user.write({'group_ids': [(6, 0, [env.ref('base.group_user').id, env.ref('base.group_partner_manager').id])]})
keys = env['res.users.apikeys'].with_user(user)
until = datetime.now() + timedelta(30)
print('KEYS', json.dumps([keys._generate('rpc', 'first', until), keys._generate('rpc', 'second', until)]))
env.cr.commit()
"""

Opened = Callable[..., OdooPort]


@dataclass(frozen=True)
class Bot:
    """A user with few rights, and two keys of it."""

    odoo: RunningOdoo
    keys: tuple[str, str]


@pytest.fixture(scope="session")
async def bot(stock_odoo: RunningOdoo) -> Bot:
    said = await stock_odoo.shell(_MAKE_BOT)
    line = next(line for line in said.splitlines() if line.startswith("KEYS "))
    first, second = json.loads(line.removeprefix("KEYS "))
    return Bot(stock_odoo, (first, second))


@pytest.fixture(params=["odoorpc", "json2"])
async def opened(request: pytest.FixtureRequest, bot: Bot, tmp_path: Path) -> AsyncIterator[Opened]:
    """Opens ports of one adapter: `opened(key=..., base_url=..., database=...)`."""
    client, connections = new_client(keepalive=True), list[OdooConnections]()

    def port(key: str = bot.keys[0], timeout_s: float = TIMEOUT_S, **changes: Any) -> OdooPort:
        (tmp_path / "key").write_text(key, encoding="utf-8")
        rpc = {"kind": request.param, "user": BOT, "secret": f"file:{tmp_path / 'key'}"}
        tree = {"database": bot.odoo.database, "base_url": bot.odoo.url, "rpc": rpc, **changes}
        connections.append(OdooConnections({"main": OdooSettings.model_validate(tree)}, {"main": client}))
        return connections[-1].port("main", timeout_s)

    yield port
    for each in connections:
        each.close()
    await client.aclose()


@pytest.fixture
def port(opened: Opened) -> OdooPort:
    return opened()


@pytest.fixture
async def partner(stock_odoo: RunningOdoo) -> int:
    return await stock_odoo.admin.create("res.partner", name="Émile", ref="r-1")


async def failure(work: Any) -> OdooRefusedError:
    with pytest.raises(OdooRefusedError) as caught:
        await work
    assert "Traceback" not in caught.value.reason
    assert "\n" not in caught.value.as_attempt().failure.message
    return caught.value


async def test_fields_are_read_as_odoo_stores_them(port: OdooPort, partner: int, stock_odoo: RunningOdoo) -> None:
    (country,) = await stock_odoo.admin.search("res.country", ["code", "=", "FR"])
    await stock_odoo.admin.write("res.partner", partner, country_id=country["id"])
    fields = ["name", "country_id", "email", "color", "write_date"]
    (row,) = await port.read("res.partner", [partner], fields)
    stamp = row.pop("write_date")
    assert row == {"id": partner, "name": "Émile", "country_id": country["id"], "email": False, "color": 0}
    assert isinstance(stamp, str)


async def test_only_records_that_there_are_are_read(port: OdooPort, partner: int) -> None:
    assert await port.read("res.partner", [2**30], ["name"]) == []
    found = await port.search("res.partner", [["id", "in", [partner, 2**30]]], 5)
    assert found == [partner]


async def test_a_search_finds_what_all_conditions_allow(port: OdooPort, partner: int) -> None:
    assert await port.search("res.partner", [["id", "=", partner], ["ref", "=", "r-1"]], 1) == [partner]
    assert await port.search("res.partner", [["id", "=", partner], ["ref", "=", "r-2"]], 1) == []
    assert len(await port.search("res.partner", [["active", "=", True]], 1)) == 1


async def test_an_image_is_written_and_comes_back(port: OdooPort, partner: int) -> None:
    picture = base64.b64encode(png()).decode()
    await port.write("res.partner", [partner], {"image_1920": picture, "comment": False, "ref": "é"})
    (row,) = await port.read("res.partner", [partner], ["image_1920", "ref"])
    assert row == {"id": partner, "image_1920": picture, "ref": "é"}


async def test_an_attachment_is_created_once_and_found(port: OdooPort, partner: int) -> None:
    where: dict[str, JsonValue] = {"res_model": "res.partner", "res_id": partner, "name": "a.png"}
    made = await port.create("ir.attachment", {**where, "datas": base64.b64encode(png()).decode()})
    assert await port.search("ir.attachment", [[name, "=", value] for name, value in where.items()], 5) == [made]


async def test_a_note_is_posted_as_plain_text_and_found_by_its_message_id(
    port: OdooPort, partner: int, stock_odoo: RunningOdoo
) -> None:
    marker = f"<made-up-{partner}-{id(port)}@orchestrator.example>"
    await port.post_message("res.partner", partner, {"body": "an <b>image</b>", "message_id": marker})
    (found,) = await port.search("mail.message", [["message_id", "=", marker]], 5)
    note = await stock_odoo.admin.read("mail.message", found, "body", "res_id", "model")
    assert (note["model"], note["res_id"]) == ("res.partner", partner)
    assert "an &lt;b&gt;image&lt;/b&gt;" in note["body"]


@pytest.mark.parametrize(
    ("model", "values", "verdict"),
    [
        ("res.partner", {"no_such_field": "x"}, Verdict.FINAL),
        ("no.such.model", {"name": "x"}, Verdict.FINAL),
        ("res.partner", {"image_1920": "aGVsbG8="}, Verdict.FINAL),
        ("res.country", {"name": "Nowhere"}, Verdict.FINAL),
    ],
    ids=["field", "model", "value", "rights"],
)
async def test_what_odoo_refuses_is_final(
    model: str, values: dict[str, str], verdict: Verdict, port: OdooPort, partner: int
) -> None:
    error = await failure(port.write(model, [partner], values))
    assert error.verdict is verdict
    assert error.as_attempt().failure.failure is FailureClass.CALLBACK_REFUSED


async def test_a_field_that_cannot_be_read_is_final(port: OdooPort, partner: int) -> None:
    assert (await failure(port.read("res.partner", [partner], ["no_such_field"]))).verdict is Verdict.FINAL


async def test_a_model_without_a_chatter_is_final(port: OdooPort) -> None:
    assert (await failure(port.post_message("res.country", 1, {"body": "x"}))).verdict is Verdict.FINAL


async def test_a_record_that_is_missing_may_yet_come(port: OdooPort) -> None:
    error = await failure(port.write("res.partner", [2**30], {"name": "x"}))
    assert error.verdict is Verdict.UNCLEAR
    attempt = error.as_attempt()
    assert (attempt.failure.failure, attempt.unclear) == (FailureClass.CALLBACK_UNDELIVERABLE, True)


async def test_a_wrong_key_is_final_and_not_repeated(opened: Opened, partner: int) -> None:
    key = "made-up-wrong-key-0123456789"
    error = await failure(opened(key).read("res.partner", [partner], ["name"]))
    assert error.verdict is Verdict.FINAL
    assert key not in error.reason
    assert key not in repr(opened(key))


async def test_a_rotated_key_is_used_at_once(opened: Opened, bot: Bot, partner: int) -> None:
    for key in bot.keys:
        (row,) = await opened(key).read("res.partner", [partner], ["name"])
        assert row["name"] == "Émile"


async def test_an_unknown_database_is_not_taken_for_an_empty_one(opened: Opened, partner: int) -> None:
    error = await failure(opened(database="no_such_database").read("res.partner", [partner], ["name"]))
    assert error.verdict is not Verdict.ARRIVED


async def test_many_calls_at_once_each_get_their_own_answer(port: OdooPort, stock_odoo: RunningOdoo) -> None:
    made = [await stock_odoo.admin.create("res.partner", name=f"partner {number}") for number in range(12)]
    rows = await asyncio.gather(*(port.read("res.partner", [each], ["name"]) for each in made))
    assert [row[0]["name"] for row in rows] == [f"partner {number}" for number in range(12)]
