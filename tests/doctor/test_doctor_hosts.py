"""Services, Odoos, clocks and certificates: real servers, each broken in one way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from operations.doctor import certificates, clock, configuration, odoo, services
from operations.doctor.finding import Level
from operations.doctor.hosts import Certificate
from tests.doctor.installation import NOWHERE, levels, settings_of, the, tls_server
from tests.services.scripted import Script, ScriptedServer

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer().running() as running:
        running.answer({"data": []})
        yield running


async def test_a_service_that_takes_the_key(server: ScriptedServer, tmp_path: Path) -> None:
    found = await services.look(settings_of(tmp_path, service=server.url))
    assert levels(found) == {"service draw": Level.OK}


async def test_a_service_with_the_wrong_key(server: ScriptedServer, tmp_path: Path) -> None:
    server.answer({"error": {"message": "Incorrect API key provided"}}, status=401)
    found = the(await services.look(settings_of(tmp_path, service=server.url)), "service draw")
    assert found.level is Level.FAIL
    assert "Correct the service's auth setting" in found.remedy
    assert "made-up-secret" not in found.fact + found.remedy


async def test_a_service_that_is_not_there(tmp_path: Path) -> None:
    found = the(await services.look(settings_of(tmp_path)), "service draw")
    assert (found.level, "base_url" in found.remedy) == (Level.FAIL, True)


@pytest.mark.parametrize(
    ("status", "level"),
    [(405, Level.OK), (401, Level.OK), (404, Level.WARN), (502, Level.FAIL)],
)
async def test_what_an_odoo_answers(server: ScriptedServer, tmp_path: Path, status: int, level: Level) -> None:
    server.play(Script(status))
    found = the(await odoo.look(settings_of(tmp_path, odoo=server.url)), "odoo main")
    assert (found.level, f"/callback answers (HTTP {status})" in found.fact) == (level, True)
    assert {one.method for one in server.received} == {"GET"}, "nothing is written"


async def test_an_odoo_that_is_not_there(tmp_path: Path) -> None:
    known = settings_of(tmp_path).routes["event"]
    other = known.model_copy(update={"callback": known.callback.model_copy(update={"path": "/other"})})
    routes = {"event": known, "other": other}
    found = the(await odoo.look(settings_of(tmp_path).model_copy(update={"routes": routes})), "odoo main")
    assert (found.level, "odoos.main.base_url" in found.remedy) == (Level.FAIL, True)


def _with_rpc(tmp_path: Path, url: str) -> dict[str, Any]:
    rpc = {"kind": "json2", "secret": f"file:{tmp_path / 'key'}"}
    return {"odoos": {"main": {"database": "acme", "base_url": url, "rpc": rpc}}}


async def test_the_login_of_an_odoo(server: ScriptedServer, tmp_path: Path) -> None:
    server.answer([])
    found = await odoo.look(settings_of(tmp_path, **_with_rpc(tmp_path, server.url)))
    assert the(found, "odoo main rpc").level is Level.OK
    posted = [one.path for one in server.received if one.method == "POST"]
    assert posted == ["/json/2/res.users/search"], "one call, and that only reads"


async def test_the_wrong_login_of_an_odoo(server: ScriptedServer, tmp_path: Path) -> None:
    server.answer({"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey"}, status=401)
    found = the(
        await odoo.look(settings_of(tmp_path, **_with_rpc(tmp_path, server.url))),
        "odoo main rpc",
    )
    assert (found.level, "odoos.main.rpc" in found.remedy) == (Level.FAIL, True)
    assert "made-up-secret" not in found.fact


async def test_a_missing_secret(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    (tmp_path / "key").unlink()
    (found,) = await configuration.look(settings)
    assert (found.level, "is missing" in found.fact + found.remedy) == (Level.FAIL, True)


@pytest.mark.parametrize(
    ("behind", "level"),
    [(timedelta(0), Level.OK), (timedelta(seconds=30), Level.WARN), (timedelta(hours=-1), Level.FAIL)],
)
async def test_a_clock_is_held_against_the_date_of_those_who_are_called(
    server: ScriptedServer, tmp_path: Path, behind: timedelta, level: Level
) -> None:
    said = format_datetime(datetime.now(UTC) - behind, usegmt=True)
    server.play(Script(405, headers={"Date": said}))
    found = the(await clock.look(settings_of(tmp_path, odoo=server.url)), "clock")
    assert found.level is level
    assert ("odoo main" in found.fact) == (level is not Level.OK)


async def test_a_clock_that_nobody_tells(tmp_path: Path) -> None:
    assert levels(await clock.look(settings_of(tmp_path))) == {"clock": Level.WARN}


async def test_an_expired_certificate(tmp_path: Path) -> None:
    async with tls_server(tmp_path, timedelta(days=-3)) as url:
        found = the(await certificates.look(settings_of(tmp_path, odoo=url)), "certificate odoo main")
    assert (found.level, found.fact) == (Level.FAIL, "expired 3 days ago")


async def test_a_certificate_that_nobody_signed(tmp_path: Path) -> None:
    async with tls_server(tmp_path, timedelta(days=200)) as url:
        found = the(await certificates.look(settings_of(tmp_path, odoo=url)), "certificate odoo main")
    assert (found.level, "refused: self" in found.fact) == (Level.FAIL, True)


async def test_a_host_without_tls(tmp_path: Path) -> None:
    url = NOWHERE.replace("http:", "https:")
    found = the(await certificates.look(settings_of(tmp_path, odoo=url)), "certificate odoo main")
    assert (found.level, "no TLS at 127.0.0.1" in found.fact) == (Level.FAIL, True)


async def test_of_plain_http_nothing_is_said(tmp_path: Path) -> None:
    assert await certificates.look(settings_of(tmp_path, odoo=NOWHERE)) == []


@pytest.mark.parametrize(("days", "level"), [(90, Level.OK), (20, Level.WARN), (0, Level.FAIL)])
def test_the_end_of_a_certificate_is_told_in_time(days: int, level: Level) -> None:
    assert certificates.verdict("x", Certificate(NOW + timedelta(days=days)), NOW).level is level


def test_no_certificate_at_all() -> None:
    assert certificates.verdict("x", Certificate(), NOW).level is Level.FAIL
