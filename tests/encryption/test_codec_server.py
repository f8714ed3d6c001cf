"""`orchestrator codec-server`: the protocol, who may, from where, how much, and what it says of keys."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from temporalio.api.common.v1 import Payload, Payloads

from operations.codec_server.app import create_app
from runtime.codec import EncryptionCodec, KeyRing
from runtime.encryption_settings import CodecServerSettings
from starter.wire.server import listening
from tests.encryption.encrypted_site import READER, codec_server, encrypted, key_file

UI = "https://temporal.example"
KEYS = KeyRing([bytes(32)])
CLEAR = Payload(metadata={"encoding": b"json/plain"}, data=b'"a red bicycle"')
SECRET = "made-up-secret-of-at-least-32-bytes"
BEARER = {"Authorization": f"Bearer {SECRET}"}


@pytest.fixture
def secret(tmp_path: Path) -> str:
    file = tmp_path / "secret"
    file.write_text(SECRET, encoding="utf-8")
    return f"file:{file}"


@pytest.fixture
async def server(secret: str, request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    given: dict[str, Any] = getattr(request, "param", {})
    auth = {"kind": "bearer", "secret": secret, **given.pop("auth", {})}
    settings = CodecServerSettings.model_validate({"auth": auth, "origins": [UI], "body_limit": 4096, **given})
    assert settings.auth is not None
    async with (
        listening(create_app(settings, settings.auth, KEYS), "127.0.0.1", 0) as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        yield client


async def body(*payloads: Payload) -> dict[str, Any]:
    return MessageToDict(Payloads(payloads=payloads))


async def test_encode_and_decode_are_each_other_s_reverse(server: httpx.AsyncClient) -> None:
    encoded = (await server.post("/encode", json=await body(CLEAR), headers=BEARER)).json()
    assert "a red bicycle" not in json.dumps(encoded)
    answer = await server.post("/decode", json=encoded, headers={**BEARER, "X-Namespace": "default"})
    assert ParseDict(answer.json(), Payloads()).payloads == [CLEAR]
    assert answer.headers["cache-control"] == "no-store"


async def test_it_decodes_what_workers_encrypt_and_leaves_clear_text_alone(server: httpx.AsyncClient) -> None:
    sealed = await EncryptionCodec(KEYS).encode([CLEAR])
    answer = await server.post("/decode", json=await body(*sealed, CLEAR), headers=BEARER)
    assert ParseDict(answer.json(), Payloads()).payloads == [CLEAR, CLEAR]


async def test_an_unknown_key_is_named(server: httpx.AsyncClient) -> None:
    sealed = await EncryptionCodec(KeyRing([bytes(31) + b"\1"])).encode([CLEAR])
    answer = await server.post("/decode", json=await body(*sealed), headers=BEARER)
    assert answer.status_code == 400
    assert f"but encryption.keys has only {KEYS.active}: add a reference" in answer.json()["message"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer guess"}, {"Authorization": SECRET}])
@pytest.mark.parametrize("path", ["/decode", "/encode"])
async def test_nobody_reads_without_credentials(server: httpx.AsyncClient, path: str, headers: dict[str, str]) -> None:
    answer = await server.post(path, json=await body(CLEAR), headers=headers)
    assert (answer.status_code, "bicycle" in answer.text) == (403, False)


@pytest.mark.parametrize("server", [{"auth": {"kind": "jwt", "audience": "codec"}}], indirect=True)
async def test_the_access_token_of_single_sign_on_opens_it(server: httpx.AsyncClient) -> None:
    for audience, status in (("codec", 200), ("other", 403)):
        token = jwt.encode({"aud": audience, "sub": "anna"}, SECRET, algorithm="HS256")
        answer = await server.post("/decode", json=await body(), headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status


@pytest.mark.parametrize("origin", [UI, "https://evil.example"])
async def test_only_the_web_ui_s_pages_may_ask(server: httpx.AsyncClient, origin: str) -> None:
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Private-Network": "true"}
    asks = {"Access-Control-Request-Headers": "authorization,content-type,x-namespace"}
    preflight = await server.options("/decode", headers={"Origin": origin, **wanted, **asks})
    answer = await server.post("/decode", json=await body(CLEAR), headers={**BEARER, "Origin": origin})
    refused = await server.post("/decode", json=await body(CLEAR), headers={"Origin": origin})
    expected = UI if origin == UI else None
    for each in (preflight, answer, refused):
        assert each.headers.get("access-control-allow-origin") == expected
    assert preflight.is_success == (origin == UI)
    if origin == UI:
        assert preflight.headers["access-control-allow-credentials"] == "true"
        assert preflight.headers["access-control-allow-private-network"] == "true"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[" * 3000, 400),
        (b'{"payloads": 5}', 400),
        (b"\xff", 400),
        (b"x" * 5000, 413),
    ],
)
async def test_what_is_no_list_of_payloads_is_refused(server: httpx.AsyncClient, content: bytes, status: int) -> None:
    answer = await server.post("/decode", content=content, headers=BEARER)
    assert answer.status_code == status
    assert answer.json()["message"]


@pytest.mark.parametrize("server", [{"namespaces": ["default"]}], indirect=True)
async def test_only_its_namespaces_are_served(server: httpx.AsyncClient) -> None:
    for namespace, status in (("default", 200), ("other", 403)):
        answer = await server.post("/decode", json=await body(), headers={**BEARER, "X-Namespace": namespace})
        assert answer.status_code == status


async def test_a_lost_secret_is_told_to_the_log_only(server: httpx.AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "secret").unlink()
    answer = await server.post("/decode", json=await body(CLEAR), headers=BEARER)
    assert (answer.status_code, str(tmp_path) in answer.text) == (503, False)


async def test_the_process_serves_on_loopback_and_asks_browsers_for_the_password(tmp_path: Path) -> None:
    line = encrypted(tmp_path, "127.0.0.1:9", key_file(tmp_path, "key"))
    async with codec_server(line) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        assert url.startswith("http://127.0.0.1:")
        welcome, wrong = await client.get("/"), await client.get("/", auth=(READER, "guess"))
        assert [one.headers.get("www-authenticate") for one in (welcome, wrong)] == ['Basic realm="clear text"'] * 2
        asked = await client.post("/decode", json=await body(CLEAR))
        assert (asked.status_code, asked.headers.get("www-authenticate")) == (401, None)
        assert (await client.get("/healthz")).status_code == 200


async def test_it_does_not_start_without_keys_or_without_credentials(tmp_path: Path) -> None:
    line = encrypted(tmp_path, "127.0.0.1:9", key_file(tmp_path, "key"))
    whole = line.config.read_text(encoding="utf-8")
    line.config.write_text(whole[: whole.index("[encryption]")], encoding="utf-8")
    ran = await line.call("codec-server")
    assert (ran.code, [one.partition(": is ")[0] for one in ran.err.splitlines()]) == (
        2,
        ["configuration: encryption.keys", "configuration: codec_server.auth"],
    )
    line.config.write_text(whole.replace('kind = "basic", user = "operator", password', 'kind = "none", x'), "utf-8")
    assert "codec_server.auth.kind: unknown kind; valid: " in (await line.call("codec-server")).err
