"""A paid answer is kept whatever odd things stand beside its image: real adapters, a real socket."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from pydantic import JsonValue

from activities.services.registry import KINDS
from contracts.errors import FailureClass
from contracts.requests import Generation
from runtime.blobs import LocalBlobStore
from tests.activities.desk import generate_input, made
from tests.activities.doubles import PICTURE
from tests.activities.series import Series, failure_of
from tests.services.calls import settings
from tests.services.scripted import Script, ScriptedServer

KEY = "made-up-service-key-0123456789"
IMAGE = base64.b64encode(PICTURE).decode()


def generating(directory: Path, server: ScriptedServer) -> Series[Generation]:
    """Attempts at a service that answers as the script says."""
    (directory / "key").write_text(KEY, encoding="utf-8")
    auth = {"kind": "bearer", "secret": f"file:{directory}/key"}
    configured = settings(server.url, kind="flux_lora", auth=auth)
    call = generate_input(policy=generate_input().policy.model_copy(update={"timeout_s": 10}))

    async def attempt() -> Generation:
        service = KINDS["flux_lora"]("flux", configured)
        try:
            activities = made({"flux": service}, {"flux": configured}, LocalBlobStore(directory))
            return await activities.generation.generate_image(call)
        finally:
            await service.aclose()

    return Series(attempt)


@pytest.mark.parametrize(
    ("model", "kept"),
    [
        ("flux-1", "flux-1"),
        ("half a pair \ud800", "half a pair ?"),
        ("a NUL \x00 inside", "a NUL   inside"),
        ("x" * 100_000, "x" * 200),
        (f"made with {KEY}", "made with [secret]"),
        ({"name": "flux-1"}, None),
    ],
    ids=["plain", "surrogate", "nul", "long", "secret", "no text"],
)
async def test_the_name_of_a_model_costs_no_image(model: JsonValue, kept: str | None, tmp_path: Path) -> None:
    async with ScriptedServer().running() as server:
        server.play(Script(body=json.dumps({"images": [{"base64": IMAGE}], "model": model}).encode()))
        generated = (await generating(tmp_path, server).attempt()).generated
    assert generated is not None
    assert generated.model == kept


@pytest.mark.parametrize("url", ["http://images.example/\ud800", "http://images.example/" + "x" * 20_000])
async def test_an_address_that_cannot_be_kept_is_said_to_be_none(url: str, tmp_path: Path) -> None:
    async with ScriptedServer().running() as server:
        server.play(Script(body=json.dumps({"images": [{"url": url}]}).encode()))
        error = await generating(tmp_path, server).failing()
        assert failure_of(await generating(tmp_path, server).failing()) == failure_of(error)
        assert len(server.received) == 1
    assert (error.non_retryable, failure_of(error).failure) == (True, FailureClass.PROTOCOL_ERROR)
