"""The rate limit of each caller, over a real socket; the window itself without waiting."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import jwt
import pytest
from temporalio.client import Client

from starter.access.rate_limit import RecentRequests
from tests.starter.front import Front, event, make_settings, running_starter

KEY = "made-up-jwt-secret-that-is-long-enough-for-hs256"


@pytest.fixture
async def limited(tmp_path: Path, temporal_client: Client) -> AsyncIterator[Front]:
    for name, secret in {"one": "made-up-first", "two": "made-up-second", "jwt": KEY}.items():
        (tmp_path / name).write_text(secret, encoding="utf-8")
    both = [f"file:{tmp_path / 'one'}", f"file:{tmp_path / 'two'}"]
    routes = {
        "open": _route("open"),
        "twin": _route("twin"),
        "free": {**_route("free"), "rate_limit": None},
        "header": _route("header", kind="header", name="X-Api-Key", secret=both),
        "bearer": _route("bearer", kind="bearer", secret=both),
        "basic": _route("basic", kind="basic", user="odoo", password=both),
        "jwt": _route("jwt", kind="jwt", secret=f"file:{tmp_path / 'jwt'}"),
    }
    async with running_starter(make_settings(tmp_path, routes=routes), temporal_client) as running:
        yield running


def _route(path: str, **auth: object) -> dict[str, object]:
    return {
        "path": path,
        "dialect": "event",
        "odoo": "main",
        "services": ["main"],
        "auth": auth or {"kind": "none"},
        "callback": {"path": "/callback"},
        "rate_limit": "2/hour",
    }


async def statuses(front: Front, path: str, *headers: dict[str, str]) -> list[int]:
    return [(await front.post(path, event(), each)).status_code for each in headers]


async def test_the_third_request_is_refused_with_the_time_to_wait(limited: Front) -> None:
    answers = [await limited.post("open", event()) for _ in range(3)]
    last = answers[-1]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert last.json() == {"code": 429, "message": "Too many requests: at most 2 per hour. Send it again later."}
    assert 3500 < int(last.headers["retry-after"]) <= 3600
    assert last.headers["content-type"] == "application/json; charset=utf-8"
    assert await limited.counted("rate_limited", "open") == 1


async def test_what_is_refused_starts_nothing_and_may_be_sent_again(limited: Front) -> None:
    body = event()
    assert await statuses(limited, "open", {}, {}) == [200, 200]
    assert (await limited.post("open", body)).status_code == 429
    assert (await limited.post("twin", body)).status_code == 200


async def test_a_repeated_post_counts_too(limited: Front) -> None:
    body = event()
    answers = [(await limited.post("open", body)).status_code for _ in range(3)]
    assert answers == [200, 200, 429]


async def test_routes_are_counted_apart_and_one_without_a_limit_not_at_all(limited: Front) -> None:
    assert await statuses(limited, "open", {}, {}, {}) == [200, 200, 429]
    assert await statuses(limited, "twin", {}) == [200]
    assert await statuses(limited, "free", *[{}] * 5) == [200] * 5


async def test_refused_credentials_spend_nothing(limited: Front) -> None:
    wrong, right = {"X-Api-Key": "made-up-wrong"}, {"X-Api-Key": "made-up-first"}
    assert await statuses(limited, "header", wrong, wrong, wrong, right, right, right) == [403, 403, 403, 200, 200, 429]


@pytest.mark.parametrize(
    ("path", "name", "form"), [("header", "X-Api-Key", "{}"), ("bearer", "Authorization", "Bearer {}")]
)
async def test_each_credential_is_a_caller_of_its_own(limited: Front, path: str, name: str, form: str) -> None:
    one, two = ({name: form.format(secret)} for secret in ("made-up-first", "made-up-second"))
    assert await statuses(limited, path, one, one, one, two) == [200, 200, 429, 200]


async def test_a_basic_user_is_one_caller_whichever_password_is_used(limited: Front) -> None:
    pairs = [f"odoo:made-up-{which}".encode() for which in ("first", "second", "first")]
    headers = [{"Authorization": f"Basic {base64.b64encode(pair).decode()}"} for pair in pairs]
    assert await statuses(limited, "basic", *headers) == [200, 200, 429]


async def test_the_subject_of_a_token_is_the_caller(limited: Front) -> None:
    def token(**claims: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {jwt.encode(claims, KEY)}"}

    odoo = [token(sub="odoo", jti=str(number)) for number in range(3)]
    assert await statuses(limited, "jwt", *odoo, token(sub="other")) == [200, 200, 429, 200]


async def test_addresses_are_callers_where_nobody_authenticates(limited: Front) -> None:
    async def from_address(address: str) -> int:
        transport = httpx.AsyncHTTPTransport(local_address=address)
        async with httpx.AsyncClient(transport=transport, base_url=limited.url) as http:
            return (await http.post("/webhook/open", json=event())).status_code

    answers = [await from_address(address) for address in ("127.0.0.2", "127.0.0.2", "127.0.0.2", "127.0.0.3")]
    assert answers == [200, 200, 429, 200]


async def test_a_forwarded_address_is_not_believed(limited: Front) -> None:
    forged = [{"X-Forwarded-For": f"10.0.0.{number}"} for number in range(3)]
    assert await statuses(limited, "open", *forged) == [200, 200, 429]


async def test_many_at_once_are_counted_exactly(limited: Front) -> None:
    answers = await asyncio.gather(*(limited.post("open", event()) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 2 + [429] * 18


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_window_moves_with_the_requests() -> None:
    clock = Clock()
    recent = RecentRequests(clock=clock)
    assert [recent.acquire_entry("a", 2, 60) for _ in range(3)] == [True, True, False]
    clock.now += 59.9
    assert not recent.acquire_entry("a", 2, 60)
    assert recent.get_moving_window("a", 2, 60) == (1000.0, 2)
    clock.now += 0.1
    assert recent.get_moving_window("a", 2, 60) == (clock.now, 0)
    assert recent.acquire_entry("a", 2, 60)


def test_quiet_callers_are_forgotten_first() -> None:
    recent = RecentRequests(callers=2)
    for caller in ("quiet", "busy", "busy", "new"):
        recent.acquire_entry(caller, 2, 60)
    counts = {caller: recent.get_moving_window(caller, 2, 60)[1] for caller in ("busy", "new", "quiet")}
    assert counts == {"busy": 2, "new": 1, "quiet": 0}


def test_the_requests_that_are_remembered_are_bounded() -> None:
    recent = RecentRequests(requests=10)
    for caller in ("first", "second"):
        for _ in range(8):
            recent.acquire_entry(caller, 100, 60)
    assert [recent.get_moving_window(caller, 100, 60)[1] for caller in ("first", "second")] == [0, 8]
