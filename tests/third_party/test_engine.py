"""Real pixels: stable-diffusion.cpp's sd-server through the kinds `openai` and `a1111`. Only with --engine."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import AsyncIterator, Callable

import pytest
from PIL import Image

from activities.images import ImageFacts, inspect
from activities.services.base import Completed, ImageService, InlineArtifact
from contracts.errors import FailureClass as Class
from tests.services.calls import call, failing
from tests.third_party.installing import HERE, got, running_sd_server
from tests.third_party.weights import write_weights

Connect = Callable[..., ImageService]
SIDE = 64
LIMIT = 2**20
PATIENCE_S = 300.0

# Building it takes minutes, the first time.
pytestmark = [pytest.mark.engine, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The URL of an sd-server whose model is noise."""
    binary = await got(HERE / "get-sd-server", sys.executable)
    directory = tmp_path_factory.mktemp("sd-server")
    weights = directory / "weights.safetensors"
    await asyncio.to_thread(write_weights, weights)
    async with running_sd_server(binary, weights, directory) as url:
        yield url
    weights.unlink()


async def made(service: ImageService, **fields: object) -> InlineArtifact:
    done = await service.submit(call(PATIENCE_S, width=SIDE, height=SIDE, **fields))
    assert isinstance(done, Completed)
    (artifact,) = done.artifacts
    assert isinstance(artifact, InlineArtifact)
    return artifact


def pixels(artifact: InlineArtifact) -> bytes:
    assert inspect(artifact.data, LIMIT) == ImageFacts("image/png", SIDE, SIDE)
    with Image.open(io.BytesIO(artifact.data)) as picture:
        return picture.convert("RGB").tobytes()


async def test_openai(engine: str, connect: Connect) -> None:
    drawn = pixels(await made(connect("openai", engine)))
    assert len(set(drawn)) > 16, "no plain surface"


async def test_openai_with_a_quality_and_a_format(engine: str, connect: Connect) -> None:
    artifact = await made(connect("openai", engine), custom={"output_format": "jpeg", "quality": "low"})
    assert inspect(artifact.data, LIMIT) == ImageFacts("image/jpeg", SIDE, SIDE)


async def test_a1111_draws_by_the_seed(engine: str, connect: Connect) -> None:
    service = connect("a1111", engine)
    first, again, other = [await made(service, seed=seed, steps=1, negative_prompt="people") for seed in (7, 7, 8)]
    assert len(set(pixels(first))) > 16, "no plain surface"
    assert pixels(first) == pixels(again)
    assert pixels(first) != pixels(other)


async def test_a1111_with_a_lora_that_is_not_there(engine: str, connect: Connect) -> None:
    service = connect("a1111", engine, lora_form="structured", any_lora=True)
    await failing(made(service, custom={"lora": "missing.safetensors"}), Class.INVALID_REQUEST)
