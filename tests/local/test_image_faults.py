from __future__ import annotations

import asyncio

import httpx
import pytest
from PIL import UnidentifiedImageError

from operations.local.faults import FaultKind, FaultRule, FaultRuleError
from operations.local.image_service import ImageServiceConfig, create_app
from tests.local.orders import OPENAI, SMALL, inline, order, paid, picture


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("rate_limited", 429, "rate_limit_exceeded"),
        ("quota", 429, "insufficient_quota"),
        ("server_error", 500, "server_error"),
        ("unavailable", 503, "service_unavailable"),
        ("bad_gateway", 502, "bad_gateway"),
        ("refused_content", 400, "moderation_blocked"),
        ("unauthorized", 401, "invalid_api_key"),
        ("not_found", 404, "not_found"),
    ],
)
async def test_an_error_fault_answers_in_each_protocol_and_costs_nothing(
    service: httpx.AsyncClient, kind: str, status: int, code: str
) -> None:
    openai = await order(service, fault=kind)
    flux = await service.post("/generate", json={"text_prompt": "x"}, headers={"X-Fault": kind})
    assert (openai.status_code, openai.json()["error"]["code"]) == (status, code)
    assert (flux.status_code, flux.json()["code"]) == (status, code)
    assert await paid(service) == {}


async def test_rate_limited_says_when_to_come_back(service: httpx.AsyncClient) -> None:
    answer = await order(service, fault="rate_limited; retry_after=7")
    assert answer.headers["Retry-After"] == "7"


async def test_a_bare_error_is_html(service: httpx.AsyncClient) -> None:
    answer = await order(service, fault="bare_error")
    assert answer.status_code == 500
    assert answer.headers["Content-Type"].startswith("text/html")


async def test_spoilt_images_are_paid_for(service: httpx.AsyncClient) -> None:
    truncated = inline(await order(service, fault="truncated_image"))
    html = inline(await order(service, fault="html_image"))
    empty = inline(await order(service, fault="empty_image"))
    page = (await order(service, fault="html_image", response_format="url")).json()["data"][0]["url"]
    with pytest.raises(OSError, match=r"(?i)truncated"):
        picture(truncated)
    with pytest.raises(UnidentifiedImageError):
        picture(html)
    assert empty == b""
    assert (await service.get(page)).headers["Content-Type"].startswith("text/html")
    assert await paid(service) == {"req-1": 4}


async def test_no_image_is_a_200_without_any(service: httpx.AsyncClient) -> None:
    answer = await order(service, fault="no_image")
    assert (answer.status_code, answer.json()["data"]) == (200, [])
    assert await paid(service) == {}


async def test_drop_closes_the_connection_before_any_work(service: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="disconnected without sending"):
        await order(service, fault="drop")
    (call,) = (await service.get("/journal")).json()["calls"]
    assert (call["fault"], call["paid"], call["status"]) == ("drop", False, None)


async def test_drop_after_work_closes_the_connection_and_costs(service: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="disconnected without sending"):
        await order(service, fault="drop_after_work")
    (call,) = (await service.get("/journal")).json()["calls"]
    assert (call["fault"], call["paid"], call["status"]) == ("drop_after_work", True, None)
    assert await paid(service) == {"req-1": 1}


async def test_hang_never_answers_and_costs_nothing(service: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await service.post(OPENAI, json=SMALL, headers={"X-Fault": "hang"}, timeout=0.3)
    assert await paid(service) == {}


async def test_slow_costs_even_if_the_client_has_gone(service: httpx.AsyncClient) -> None:
    headers = {"X-Fault": "slow; seconds=0.5", "X-Correlation-Id": "req-1"}
    with pytest.raises(httpx.ReadTimeout):
        await service.post(OPENAI, json=SMALL, headers=headers, timeout=0.1)
    for _ in range(400):
        if await paid(service):
            break
        await asyncio.sleep(0.05)
    assert await paid(service) == {"req-1": 1}


async def test_rules_count_per_correlation_id_and_match_the_prompt(service: httpx.AsyncClient) -> None:
    rules = [
        {"match": "fox", "kind": "server_error", "times": 2},
        {"match": "owl", "kind": "unavailable", "times": 0},
    ]
    assert (await service.post("/faults", json=rules)).json() == {"rules": 2}
    fox = [(await order(service, correlation=who)).status_code for who in ("a", "b", "a", "a", "b", "b")]
    owl = [(await order(service, prompt="an owl")).status_code for _ in range(4)]
    assert fox == [500, 500, 500, 200, 500, 200]
    assert owl == [503] * 4
    assert (await order(service, prompt="a cat")).status_code == 200
    await service.post("/faults", json=[])
    assert (await order(service, prompt="an owl")).status_code == 200


async def test_without_a_correlation_id_the_prompt_identifies_the_request(service: httpx.AsyncClient) -> None:
    await service.post("/faults", json=[{"kind": "server_error"}])
    prompts = ["one", "two", "one", "two"]
    answers = [(await service.post(OPENAI, json={**SMALL, "prompt": prompt})).status_code for prompt in prompts]
    assert answers == [500, 500, 200, 200]


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ([{"kind": "bogus"}], "0.kind"),
        ([{"kind": "slow", "second": 1}], "0.second"),
        ([{"kind": "error_in_200"}], "error_in_200"),
        ({"kind": "slow"}, "valid array"),
    ],
)
async def test_bad_rules_are_refused_and_change_nothing(service: httpx.AsyncClient, rules: object, named: str) -> None:
    await service.post("/faults", json=[{"kind": "unavailable", "times": 0}])
    answer = await service.post("/faults", json=rules)
    assert answer.status_code == 400
    assert named in answer.json()["error"]
    assert (await order(service)).status_code == 503


async def test_a_bad_one_shot_is_refused(service: httpx.AsyncClient) -> None:
    answer = await order(service, fault="slow; seconds=soon")
    assert answer.status_code == 400
    assert "seconds" in answer.json()["error"]["message"]


def test_a_configured_rule_that_the_service_cannot_do_is_an_error() -> None:
    with pytest.raises(FaultRuleError, match="error_in_200"):
        create_app(ImageServiceConfig(faults=(FaultRule(kind=FaultKind.ERROR_IN_200),)))
