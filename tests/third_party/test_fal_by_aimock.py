"""Kind `fal` and fal's own client at aimock's queue: they send the same and follow a job in the same manner."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import fal_client
import httpx
import pytest

from activities.services.addresses import host_matches
from activities.services.base import Accepted, Completed, ImageService, Pending, RemoteArtifact
from activities.services.fal import FalService
from contracts.errors import FailureClass as Class
from contracts.provider_webhooks import FAL_KEYS_URL
from contracts.requests import JobReference
from tests.services.calls import call, failing
from tests.third_party.installing import KEY
from tests.third_party.relay import PICTURE, PICTURE_PATH, Received, Relay

Connect = Callable[..., ImageService]
MODEL = "fal-ai/flux-lora"
PATH = f"/fal/{MODEL}"
STAGES = [Pending, Pending, Completed]
"""aimock completes a job at the third look (serve-aimock.mjs)."""


@pytest.fixture
def service(aimock: Relay, connect: Connect) -> ImageService:
    return connect("fal", f"{aimock.url}/fal", model=MODEL)


@pytest.fixture
async def official(aimock: Relay) -> AsyncIterator[fal_client.AsyncClient]:
    """Fal's own client, which knows fal's own hosts only: each request is led to aimock instead."""
    client = fal_client.AsyncClient(key=KEY, default_timeout=20)
    http = await client._client  # noqa: SLF001 - there is no public way to it

    async def lead(request: httpx.Request) -> None:
        request.headers["x-fal-target-host"] = request.url.host
        here = httpx.URL(aimock.url)
        request.url = request.url.copy_with(
            scheme="http", host=here.host, port=here.port, raw_path=b"/fal" + request.url.raw_path
        )
        request.headers["host"] = here.netloc.decode()

    http.event_hooks = {"request": [lead]}
    yield client
    await http.aclose()


async def submitted(service: ImageService, **fields: object) -> JobReference:
    accepted = await service.submit(call(5.0, **fields))
    assert isinstance(accepted, Accepted)
    return accepted.job


def spoken(received: list[Received], job_id: str) -> list[tuple[str, str, str, str, object]]:
    """What was said, with the job's id left out, which is another one for each job."""
    return [(method, path.replace(job_id, "ID"), *rest) for method, path, *rest in (one.spoken for one in received)]


def test_the_hosts_are_those_that_the_official_client_knows() -> None:
    for host in (fal_client.auth.FAL_RUN_HOST, fal_client.auth.FAL_QUEUE_RUN_HOST):
        assert host_matches(host, FalService.public_hosts)
    assert FAL_KEYS_URL.startswith(f"{fal_client.client.REST_URL}/")


async def test_a_job_from_submit_to_image(aimock: Relay, service: ImageService) -> None:
    job = await submitted(service)
    looks = [await service.poll(job, call()) for _ in STAGES]
    assert [type(look) for look in looks] == STAGES
    done = looks[-1]
    assert isinstance(done, Completed)
    assert done.artifacts == (RemoteArtifact(url=aimock.url + PICTURE_PATH, seed=42),)
    assert (done.model, done.provider_request_id) == (MODEL, job.job_id)
    (artifact,) = done.artifacts
    assert isinstance(artifact, RemoteArtifact)
    assert await service.download(artifact, call()) == PICTURE


async def test_a_finished_job_can_be_read_again(service: ImageService) -> None:
    job = await submitted(service)
    for _ in STAGES:
        await service.poll(job, call())
    assert isinstance(await service.poll(job, call()), Completed)


async def test_we_send_what_the_official_client_sends(
    aimock: Relay, service: ImageService, official: fal_client.AsyncClient
) -> None:
    job = await submitted(service, width=512, height=768, seed=7, steps=20, cfg_scale=3.5)
    for _ in STAGES:
        await service.poll(job, call())
    ours = spoken(aimock.taken(), job.job_id)
    arguments = {
        "prompt": "a harbour at dawn",
        "image_size": {"width": 512, "height": 768},
        "seed": 7,
        "num_inference_steps": 20,
        "guidance_scale": 3.5,
    }
    handle = await official.submit(MODEL, arguments)
    result = await handle.get(interval=0.01)
    theirs = spoken(aimock.taken(), handle.request_id)
    assert ours == theirs
    assert [one[:3] for one in ours] == [
        ("POST", PATH, f"Key {KEY}"),
        *[("GET", f"{PATH}/requests/ID/status", f"Key {KEY}")] * len(STAGES),
        ("GET", f"{PATH}/requests/ID", f"Key {KEY}"),
    ]
    assert result["images"][0]["url"] == aimock.url + PICTURE_PATH


async def test_the_official_client_reads_the_same_stages(official: fal_client.AsyncClient) -> None:
    handle = await official.submit(MODEL, {"prompt": "x"})
    stages = [type(status) async for status in handle.iter_events(interval=0.01)]
    assert stages == [fal_client.InProgress, fal_client.InProgress, fal_client.Completed]


async def test_cancelling(aimock: Relay, service: ImageService, official: fal_client.AsyncClient) -> None:
    job = await submitted(service)
    await service.cancel(job, call())
    ours = spoken(aimock.taken(), job.job_id)[1:]
    handle = await official.submit(MODEL, {"prompt": "x"})
    await handle.cancel()
    assert ours == spoken(aimock.taken(), handle.request_id)[1:]
    assert ours == [("PUT", f"{PATH}/requests/ID/cancel", f"Key {KEY}", "", None)]
    await failing(service.poll(job, call()), Class.JOB_CANCELLED)


async def test_a_finished_job_is_too_late_to_cancel(service: ImageService) -> None:
    job = await submitted(service)
    for _ in STAGES:
        await service.poll(job, call())
    await service.cancel(job, call())
    assert isinstance(await service.poll(job, call()), Completed)


async def test_a_job_that_is_gone(service: ImageService) -> None:
    job = await submitted(service)
    url = (job.status_url or "").replace(job.job_id, "another")
    lost = job.model_copy(
        update={"job_id": "another", "status_url": url, "cancel_url": url.replace("status", "cancel")}
    )
    await failing(service.poll(lost, call()), Class.JOB_LOST)
    await service.cancel(lost, call())


async def test_a_wrong_key(aimock: Relay, connect: Connect) -> None:
    service = connect("fal", f"{aimock.url}/fal", model=MODEL, auth={"kind": "none"})
    await failing(service.submit(call()), Class.AUTHENTICATION_FAILED)
