"""Official clients where no third-party stand-in is known, at self-written servers: they send what our adapters send.

That they can read the self-written answers shows in turn that these have the real shape.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import openai
import pytest
from google import genai
from google.genai.types import FinishReason, GenerateContentConfig, HttpOptions, ImageConfig
from openai.types.image_generate_params import ImageGenerateParamsNonStreaming
from pydantic import JsonValue
from replicate.client import Client as ReplicateClient

from activities.services.base import Accepted, Completed, ImageService, InlineArtifact, ServiceError
from activities.services.openai import PARAMETERS
from contracts.errors import FailureClass as Class
from operations.local.faults import FaultKind, FaultRule
from operations.local.image_service import ImageServiceConfig, create_app
from operations.local.serving import listening
from tests.services.calls import call, picture
from tests.services.job_accounts import ACCOUNTS
from tests.services.scripted import Received, ScriptedServer
from tests.third_party.installing import KEY

Connect = Callable[..., ImageService]
PROMPT = "a harbour at dawn"
DRAWN = picture()


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer().running() as running:
        yield running


def spoken(received: Received, credentials: str) -> tuple[str, str, str | None, JsonValue]:
    """What a service reads of a request: method, path, credentials, body."""
    return received.method, received.path, received.headers.get(credentials), received.json if received.body else None


# --- Gemini -----------------------------------------------------------------------------------------------------------

GEMINI = "gemini-3.1-flash-image"


def answered(reason: str, *parts: JsonValue) -> dict[str, JsonValue]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": reason}]}


@pytest.mark.parametrize(("base_path", "version"), [("", "v1beta"), ("/v1", "v1")])
async def test_gemini(base_path: str, version: str, server: ScriptedServer, connect: Connect, key_file: Path) -> None:
    auth = {"kind": "header", "name": "x-goog-api-key", "secret": f"file:{key_file}"}
    service = connect("gemini", server.url + base_path, model=GEMINI, auth=auth)
    data = base64.b64encode(DRAWN).decode()
    server.answer(answered("STOP", {"inlineData": {"mimeType": "image/png", "data": data}}))
    done = await service.submit(call(aspect_ratio="16:9", width=2752, height=1536))
    assert isinstance(done, Completed)
    assert done.artifacts == (InlineArtifact(DRAWN),)
    official = genai.Client(api_key=KEY, http_options=HttpOptions(base_url=server.url, api_version=version))
    config = GenerateContentConfig(
        response_modalities=["IMAGE"], image_config=ImageConfig(aspect_ratio="16:9", image_size="2K")
    )
    answer = await official.aio.models.generate_content(model=GEMINI, contents=PROMPT, config=config)
    await official.aio.aclose()
    ours, theirs = (spoken(one, "x-goog-api-key") for one in server.received)
    assert ours == theirs
    assert ours[2] == KEY
    assert answer.parts
    assert answer.parts[0].inline_data
    assert answer.parts[0].inline_data.data == DRAWN


@pytest.mark.parametrize("reason", [one.value for one in FinishReason if one.value not in {"STOP", "MAX_TOKENS"}])
async def test_every_way_in_which_gemini_says_no(reason: str, server: ScriptedServer, connect: Connect) -> None:
    server.answer(answered(reason))
    with pytest.raises(ServiceError) as caught:
        await connect("gemini", server.url, model=GEMINI).submit(call())
    assert caught.value.failure.failure in {Class.CONTENT_REJECTED, Class.GENERATION_FAILED}
    assert caught.value.failure.provider_code == reason


# --- Replicate --------------------------------------------------------------------------------------------------------


async def test_replicate(server: ScriptedServer, connect: Connect) -> None:
    account = ACCOUNTS["replicate"]
    urls = {"get": f"{server.url}/v1/predictions/p1", "cancel": f"{server.url}/v1/predictions/p1/cancel"}
    fields: dict[str, JsonValue] = {"version": "v1", "input": {"prompt": PROMPT}, "output": None, "logs": ""}
    prediction: dict[str, JsonValue] = {**account.accepted, **fields, "error": None, "urls": {**urls}}
    server.answer(prediction, 201)
    service = connect("replicate", server.url, model=account.model)
    accepted = await service.submit(call(seed=7))
    assert isinstance(accepted, Accepted)
    await service.poll(accepted.job, call())
    await service.cancel(accepted.job, call())
    ours = [spoken(one, "authorization") for one in server.received]
    server.received.clear()
    official = ReplicateClient(api_token=KEY, base_url=server.url)
    job = await official.models.predictions.async_create(model=account.model, input={"prompt": PROMPT, "seed": 7})
    await job.async_reload()
    await job.async_cancel()
    assert ours == [spoken(one, "authorization") for one in server.received]
    assert ours[0][2] == f"Bearer {KEY}"


# --- OpenAI -----------------------------------------------------------------------------------------------------------


def test_openais_own_parameters() -> None:
    assert ImageGenerateParamsNonStreaming.__annotations__.keys() >= PARAMETERS


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        (FaultKind.RATE_LIMITED, openai.RateLimitError, "rate_limit_exceeded"),
        (FaultKind.QUOTA, openai.RateLimitError, "insufficient_quota"),
        (FaultKind.REFUSED_CONTENT, openai.BadRequestError, "moderation_blocked"),
        (FaultKind.UNAUTHORIZED, openai.AuthenticationError, "invalid_api_key"),
        (FaultKind.NOT_FOUND, openai.NotFoundError, "not_found"),
    ],
)
async def test_the_demos_image_service_speaks_as_openai(
    fault: FaultKind, error: type[openai.APIStatusError], code: str, key_file: Path
) -> None:
    rule = FaultRule(match="once", kind=fault, times=1)
    http = openai.DefaultAsyncHttpxClient(trust_env=False)
    config = ImageServiceConfig(key=f"file:{key_file}", faults=(rule,))
    async with (
        listening(create_app(config)) as url,
        openai.AsyncOpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0, http_client=http) as official,
    ):
        with pytest.raises(error) as caught:
            await official.images.generate(prompt="once", model="m", size="256x256")
        assert caught.value.code == code
        answer = await official.images.generate(prompt="once", model="m", size="256x256")
    assert answer.data
    assert base64.b64decode(answer.data[0].b64_json or "").startswith(b"\x89PNG")
