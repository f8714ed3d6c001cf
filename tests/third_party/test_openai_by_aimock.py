"""Kind `openai` and OpenAI's own client at aimock: they send the same and read the same out of its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import openai
import pytest

from activities.services.base import Completed, ImageService, InlineArtifact
from contracts.errors import FailureClass as Class
from tests.services.calls import call, failing
from tests.third_party.aimock_script import BUSY_ONCE, REFUSALS, SLOW
from tests.third_party.installing import KEY
from tests.third_party.relay import PICTURE, Relay

Connect = Callable[..., ImageService]
MODEL = "gpt-image-2"
PATH = "/v1/images/generations"
READINGS = {
    "moderated": (Class.CONTENT_REJECTED, openai.BadRequestError),
    "limited": (Class.RATE_LIMITED, openai.RateLimitError),
    "no quota": (Class.QUOTA_EXHAUSTED, openai.RateLimitError),
    "overloaded": (Class.PROVIDER_OVERLOADED, openai.InternalServerError),
    "no such model": (Class.MODEL_NOT_FOUND, openai.NotFoundError),
}


@pytest.fixture
def service(aimock: Relay, connect: Connect) -> ImageService:
    return connect("openai", aimock.url, model=MODEL)


@pytest.fixture
async def official(aimock: Relay) -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's own client, without its retries."""
    http = openai.DefaultAsyncHttpxClient(trust_env=False)
    async with openai.AsyncOpenAI(
        api_key=KEY, base_url=f"{aimock.url}/v1", max_retries=0, timeout=20, http_client=http
    ) as client:
        yield client


async def test_an_image(service: ImageService) -> None:
    done = await service.submit(call())
    assert isinstance(done, Completed)
    assert done.artifacts == (InlineArtifact(PICTURE),)
    assert done.model == MODEL


async def test_we_send_what_the_official_client_sends(
    aimock: Relay, service: ImageService, official: openai.AsyncOpenAI
) -> None:
    custom = {"quality": "high", "background": "transparent", "output_format": "webp", "moderation": "low"}
    await service.submit(call(width=1536, height=1024, custom=custom))
    answer = await official.images.generate(
        prompt="a harbour at dawn",
        model=MODEL,
        n=1,
        size="1536x1024",
        quality="high",
        background="transparent",
        output_format="webp",
        moderation="low",
    )
    ours, theirs = aimock.taken()
    assert ours.spoken == theirs.spoken
    assert ours.spoken[:3] == ("POST", PATH, f"Bearer {KEY}")
    assert answer.data, "the stand-in answers as the official client expects"
    assert answer.data[0].b64_json


def test_every_refusal_is_read() -> None:
    assert READINGS.keys() == REFUSALS.keys()


@pytest.mark.parametrize("prompt", READINGS)
async def test_a_refusal(prompt: str, aimock: Relay, service: ImageService, official: openai.AsyncOpenAI) -> None:
    ours, theirs = READINGS[prompt]
    failure = (await failing(service.submit(call(prompt=prompt)), ours)).failure
    with pytest.raises(theirs) as caught:
        await official.images.generate(prompt=prompt, model=MODEL, n=1, size="1024x1024")
    assert (failure.http_status, failure.provider_code) == (caught.value.status_code, caught.value.code)
    first, second = aimock.taken()
    assert first.spoken == second.spoken


async def test_the_time_that_a_refusal_names(service: ImageService) -> None:
    assert (await failing(service.submit(call(prompt="limited")), Class.RATE_LIMITED)).retry_after_s == 7.0
    assert (await failing(service.submit(call(prompt="no quota")), Class.QUOTA_EXHAUSTED)).retry_after_s is None


async def test_the_call_after_a_refusal_succeeds(service: ImageService) -> None:
    assert (await failing(service.submit(call(prompt=BUSY_ONCE)), Class.RATE_LIMITED)).retry_after_s == 1.0
    assert isinstance(await service.submit(call(prompt=BUSY_ONCE)), Completed)


async def test_a_slow_answer_leaves_the_outcome_unknown_and_is_asked_for_once(
    aimock: Relay, service: ImageService
) -> None:
    await failing(service.submit(call(timeout_s=0.5, prompt=SLOW)), Class.OUTCOME_UNKNOWN)
    (only,) = aimock.taken()
    assert only.body["prompt"] == SLOW


async def test_a_wrong_key(aimock: Relay, connect: Connect) -> None:
    service = connect("openai", aimock.url, model=MODEL, auth={"kind": "none"})
    await failing(service.submit(call()), Class.AUTHENTICATION_FAILED)
