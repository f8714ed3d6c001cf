"""The adapters against the local image service (self-written as well), with its faults, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from activities.images import ImageFacts, inspect
from activities.services.base import Completed, ImageService, InlineArtifact, RemoteArtifact
from contracts.errors import FailureClass as Class
from operations.local.faults import FaultKind, FaultRule
from operations.local.image_service import ImageServiceConfig, create_app
from operations.local.serving import listening
from tests.services.calls import call, failing

Connect = Callable[..., ImageService]
LIMIT = 2**24
URLS: Mapping[str, Mapping[str, str]] = {"openai": {"response_format": "url"}, "flux_lora": {"output": "url"}}
REFUSED = {
    FaultKind.RATE_LIMITED: Class.RATE_LIMITED,
    FaultKind.QUOTA: Class.QUOTA_EXHAUSTED,
    FaultKind.SERVER_ERROR: Class.PROVIDER_INTERNAL,
    FaultKind.BARE_ERROR: Class.OUTCOME_UNKNOWN,
    FaultKind.UNAVAILABLE: Class.PROVIDER_OVERLOADED,
    FaultKind.BAD_GATEWAY: Class.OUTCOME_UNKNOWN,
    FaultKind.HANG: Class.OUTCOME_UNKNOWN,
    FaultKind.DROP: Class.OUTCOME_UNKNOWN,
    FaultKind.DROP_AFTER_WORK: Class.OUTCOME_UNKNOWN,
    FaultKind.REFUSED_CONTENT: Class.CONTENT_REJECTED,
    FaultKind.UNAUTHORIZED: Class.AUTHENTICATION_FAILED,
    FaultKind.NOT_FOUND: Class.MODEL_NOT_FOUND,
    FaultKind.NO_IMAGE: Class.PROTOCOL_ERROR,
    FaultKind.EMPTY_IMAGE: Class.PROTOCOL_ERROR,
}


@pytest.fixture(params=sorted(URLS))
def kind(request: pytest.FixtureRequest) -> str:
    """The kinds that the local image service speaks."""
    value: str = request.param
    return value


@pytest.fixture(scope="module")
async def local(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, Path]]:
    """The base URL of a local image service, each fault by its name in the prompt, and the file with its key."""
    key = tmp_path_factory.mktemp("secrets") / "key"
    key.write_text("local-key")
    rules = tuple(FaultRule(match=f"fault:{kind}", kind=kind, times=0, retry_after=2.5) for kind in [*REFUSED, *SPOILT])
    async with listening(create_app(ImageServiceConfig(key=f"file:{key}", faults=rules))) as url:
        yield url, key


SPOILT = (FaultKind.TRUNCATED_IMAGE, FaultKind.HTML_IMAGE)


@pytest.fixture
def service(kind: str, local: tuple[str, Path], connect: Connect) -> ImageService:
    url, key = local
    return connect(kind, url, auth={"kind": "bearer", "secret": f"file:{key}"})


async def test_an_inline_image(service: ImageService) -> None:
    answer = await service.submit(call(30, width=128, height=64))
    assert isinstance(answer, Completed)
    (artifact,) = answer.artifacts
    assert isinstance(artifact, InlineArtifact)
    assert inspect(artifact.data, LIMIT) == ImageFacts("image/png", 128, 64)
    assert (answer.provider_request_id or "").startswith("req_")


async def test_an_image_by_url(kind: str, service: ImageService) -> None:
    answer = await service.submit(call(30, width=64, height=64, custom=dict(URLS[kind])))
    assert isinstance(answer, Completed)
    (artifact,) = answer.artifacts
    assert isinstance(artifact, RemoteArtifact)
    assert inspect(await service.download(artifact, call()), LIMIT) == ImageFacts("image/png", 64, 64)


@pytest.mark.parametrize("fault", REFUSED)
async def test_a_fault_has_its_class(fault: FaultKind, service: ImageService) -> None:
    request = call(0.5 if fault is FaultKind.HANG else 30, prompt=f"fault:{fault}", width=32, height=32)
    error = await failing(service.submit(request), REFUSED[fault])
    waits = fault in {FaultKind.RATE_LIMITED, FaultKind.UNAVAILABLE}
    assert error.retry_after_s == (2.5 if waits else None)


@pytest.mark.parametrize("fault", SPOILT)
async def test_a_spoilt_image_is_found(kind: str, fault: FaultKind, service: ImageService) -> None:
    fields = {"prompt": f"fault:{fault}", "width": 64, "height": 64}
    inline = await service.submit(call(30, **fields))
    remote = await service.submit(call(30, **fields, custom=dict(URLS[kind])))
    assert isinstance(inline, Completed)
    assert isinstance(remote, Completed)
    for artifact in (*inline.artifacts, *remote.artifacts):
        await failing(_inspected(service, artifact), Class.ARTIFACT_INVALID)


async def _inspected(service: ImageService, artifact: InlineArtifact | RemoteArtifact) -> ImageFacts:
    data = artifact.data if isinstance(artifact, InlineArtifact) else await service.download(artifact, call())
    return inspect(data, LIMIT)


async def test_a_wrong_key(kind: str, local: tuple[str, Path], connect: Connect) -> None:
    await failing(connect(kind, local[0]).submit(call()), Class.AUTHENTICATION_FAILED)
