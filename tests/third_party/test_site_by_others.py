"""The worker's real path at software of others: fal's queue as aimock keeps it, llmock's limiter and its verdict."""

from __future__ import annotations

import asyncio
import json
import subprocess
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.errors import RULES, FailureClass
from contracts.identity import sha256_hex
from contracts.requests import Outcome
from operations.bodies import Ask, body_of
from tests.flows.site import Asked, Site
from tests.third_party.installing import KEY, LLMOCK, running_llmock
from tests.third_party.relay import PICTURE, Relay
from tests.third_party.site import route_to, running_site

PER_MINUTE = 24
"""Calls that llmock's limiter lets through at once; then one each two and a half seconds."""
BEYOND = 2
RETRY = {"attempts": 6, "initial_s": 0.1, "factor": 4.0, "maximum_s": 4.0, "timeout_s": 20, "heartbeat_s": 20}


@pytest.fixture(scope="module")
async def site(shared_aimock: Relay, key_file: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A site whose service `flux` is aimock's fal and whose service `openai` is llmock."""
    directory = tmp_path_factory.mktemp("site")
    auth = {"kind": "bearer", "secret": f"file:{key_file}"}
    async with running_llmock(directory, PER_MINUTE) as llmock:
        fal = {"kind": "fal", "base_url": f"{shared_aimock.url}/fal", "model": "fal-ai/flux-lora"}
        limited = {"kind": "openai", "base_url": llmock, "model": "gpt-image-2", "paid": False}
        services = {"flux": fal | {"auth": auth, "retry": RETRY}, "openai": limited | {"auth": auth, "retry": RETRY}}
        async with running_site(directory, services) as running:
            yield running


@pytest.fixture
async def llmock(site: Site) -> Site:
    """The site, and an llmock that has forgotten earlier tests; its limiter's budget stays as it was."""
    (await site.images.post("/_llmock/reset")).raise_for_status()
    return site


async def break_next(site: Site, **failure: object) -> None:
    """Have llmock answer the next calls with this failure."""
    (await site.images.post("/_llmock/scenario", json={"behaviors": [{"type": "fail", **failure}]})).raise_for_status()


async def statuses(site: Site) -> list[int]:
    """What llmock answered, oldest first."""
    journal = (await site.images.get("/_llmock/requests")).json()["requests"]
    return [one["status"] for one in journal]


async def findings(site: Site) -> list[str]:
    """What llmock has against its clients, errors and warnings."""
    judged = (await site.images.get("/_llmock/verdict")).json()
    return [one["code"] for one in judged["findings"]]


def report(site: Site) -> subprocess.CompletedProcess[str]:
    """What `llmock report` prints."""
    command = (*LLMOCK, "report", "--url", str(site.images.base_url).rstrip("/"), "--json")
    return subprocess.run(command, capture_output=True, text=True, check=False)


async def drawn(site: Site, form: str = "b64_json") -> Asked:
    """Post a request for an image of llmock in that form."""
    route = route_to("openai")
    target = site.target(route, by_url=False)
    body = body_of(route.dialect, Ask(request_id=str(uuid.uuid4()), prompt="a red fox", **target))
    body["params"] = {"prompt": f"a red fox {uuid.uuid4()}", "response_format": form}
    return await site.post(route, str(body["ai_generation_request_id"]), body)


async def refused(asked: Asked, failure: FailureClass = FailureClass.ARTIFACT_INVALID) -> str:
    """Why the request waits for a person: the call got through, but llmock draws SVG, which is no image to us."""
    parked = await asked.parked()
    assert (parked["step"], parked["failure"]["failure"]) == ("generate", failure), parked
    message: str = parked["failure"]["message"]
    return message


async def test_a_job_of_fals_queue_becomes_an_image_in_odoo(site: Site, shared_aimock: Relay) -> None:
    shared_aimock.taken()
    asked = await site.ask(route_to("flux"))
    result = await asked.result()
    assert result.outcome is Outcome.COMPLETED
    (outcome,) = await asked.outcomes()
    assert (outcome["status"], outcome["image_sha256"]) == ("completed", sha256_hex(PICTURE))
    received = shared_aimock.taken()
    assert [one.method for one in received].count("POST") == 1, "submitted once"
    assert {one.headers["authorization"] for one in received} == {f"Key {KEY}"}


@pytest.mark.parametrize(
    ("form", "failure"), [("b64_json", FailureClass.ARTIFACT_INVALID), ("url", FailureClass.PROTOCOL_ERROR)]
)
async def test_svg_is_no_image_in_either_form(llmock: Site, form: str, failure: FailureClass) -> None:
    message = await refused(await drawn(llmock, form), failure)
    assert ("svg" in message) is (form == "url"), message
    assert await statuses(llmock) == [200], "what was made, and may be paid, is not made again"


@pytest.mark.parametrize("status", [429, 503])
async def test_a_time_that_is_named_is_kept(llmock: Site, status: int) -> None:
    await break_next(llmock, status=status, retry_after=1)
    await refused(await drawn(llmock))
    assert await statuses(llmock) == [status, 200]
    assert await findings(llmock) == []


async def test_an_overload_is_asked_again_less_and_less_often(llmock: Site) -> None:
    await break_next(llmock, status=503, times=3)
    await refused(await drawn(llmock))
    assert await statuses(llmock) == [503, 503, 503, 200]
    assert await findings(llmock) == []


@pytest.mark.parametrize(
    ("status", "failure"), [(401, FailureClass.AUTHENTICATION_FAILED), (422, FailureClass.INVALID_REQUEST)]
)
async def test_what_no_retry_can_help_is_not_asked_again(llmock: Site, status: int, failure: FailureClass) -> None:
    await break_next(llmock, status=status)
    asked = await drawn(llmock)
    while not (outcomes := await asked.outcomes()):
        await asyncio.sleep(0.05)
    assert [one["error_code"] for one in outcomes] == [RULES[failure].code]
    assert await statuses(llmock) == [status]
    assert await findings(llmock) == []


async def test_llmocks_limiter_finds_nothing_to_complain_of(llmock: Site) -> None:
    count = PER_MINUTE + BEYOND
    asked = await asyncio.gather(*(drawn(llmock) for _ in range(count)))
    while (answered := await statuses(llmock)).count(200) < count:
        await asyncio.sleep(0.2)
    assert 429 in answered, "the limiter had something to refuse"
    assert set(answered) == {200, 429}
    done = await asyncio.to_thread(report, llmock)
    assert done.returncode == 0, done.stdout
    judged = json.loads(done.stdout)
    assert (judged["passed"], judged["calls"], judged["findings"]) == (True, count, [])
    await asyncio.gather(*map(refused, asked))


async def test_llmock_does_complain_of_a_client_that_does_not_wait(llmock: Site) -> None:
    await break_next(llmock, status=429, retry_after=5)
    for _ in range(2):
        await llmock.images.post("/v1/images/generations", json={"prompt": "at once"})
    done = await asyncio.to_thread(report, llmock)
    assert done.returncode == 1
    assert [one["code"] for one in json.loads(done.stdout)["findings"]] == ["retry_after_ignored"]
