from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from standardwebhooks import Webhook

from contracts.capabilities import Kind
from contracts.provider_webhooks import BadSignatureError, fal_keys, verify

NOW = 1_790_000_000.0
BODY = b'{"request_id": "r1", "status": "OK"}'
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
SECRET = "whsec_" + base64.b64encode(b"s" * 24).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"o" * 24).decode()
BFL_SECRET = "our own choice"


def public(key: Ed25519PrivateKey) -> str:
    return base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).decode().rstrip("=")


def fal_headers(key: Ed25519PrivateKey = KEY, timestamp: str = "1790000000", body: bytes = BODY) -> dict[str, str]:
    message = f"r1\nuser-1\n{timestamp}\n{hashlib.sha256(body).hexdigest()}".encode()
    return {
        "X-Fal-Webhook-Request-Id": "r1",
        "X-Fal-Webhook-User-Id": "user-1",
        "X-Fal-Webhook-Timestamp": timestamp,
        "X-Fal-Webhook-Signature": key.sign(message).hex(),
    }


def replicate_headers(secret: str = SECRET, now: float = NOW, body: bytes = BODY) -> dict[str, str]:
    """As a library that we did not write signs them."""
    signature = Webhook(secret).sign("msg_1", datetime.fromtimestamp(now, UTC), body.decode())
    return {"Webhook-Id": "msg_1", "Webhook-Timestamp": str(int(now)), "Webhook-Signature": signature}


def bfl_headers(secret: str = BFL_SECRET, body: bytes = BODY) -> dict[str, str]:
    return {"X-BFL-Signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


HEADERS: dict[Kind, dict[str, str]] = {
    "fal": fal_headers(),
    "replicate": replicate_headers(),
    "bfl": bfl_headers(),
}
KEYS: dict[Kind, tuple[str, ...]] = {"fal": (public(KEY),), "replicate": (SECRET,), "bfl": (BFL_SECRET,)}
OTHERS: dict[Kind, str] = {"fal": public(OTHER), "replicate": OTHER_SECRET, "bfl": "another"}
KINDS = sorted(HEADERS)


def refusal(kind: Kind, headers: dict[str, str], body: bytes = BODY, keys: tuple[str, ...] | None = None) -> str:
    with pytest.raises(BadSignatureError) as caught:
        verify(kind, headers, body, KEYS[kind] if keys is None else keys, NOW)
    said = str(caught.value)
    assert not any(key in said for key in (*KEYS[kind], OTHERS[kind]))
    return said


@pytest.mark.parametrize("kind", KINDS)
def test_signed(kind: Kind) -> None:
    verify(kind, HEADERS[kind], BODY, KEYS[kind], NOW)


@pytest.mark.parametrize("kind", KINDS)
def test_names_of_headers_have_no_case(kind: Kind) -> None:
    verify(kind, {name.upper(): value for name, value in HEADERS[kind].items()}, BODY, KEYS[kind], NOW)


@pytest.mark.parametrize("kind", KINDS)
def test_one_of_several_keys(kind: Kind) -> None:
    verify(kind, HEADERS[kind], BODY, (OTHERS[kind], *KEYS[kind]), NOW)


@pytest.mark.parametrize("kind", KINDS)
def test_another_key(kind: Kind) -> None:
    assert "fits none" in refusal(kind, HEADERS[kind], keys=(OTHERS[kind],))


@pytest.mark.parametrize("kind", KINDS)
def test_no_key(kind: Kind) -> None:
    assert "no key" in refusal(kind, HEADERS[kind], keys=())


@pytest.mark.parametrize("kind", KINDS)
def test_another_body(kind: Kind) -> None:
    assert "fits none" in refusal(kind, HEADERS[kind], BODY + b" ")


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in HEADERS[kind]])
def test_a_missing_header(kind: Kind, name: str) -> None:
    headers = {other: value for other, value in HEADERS[kind].items() if other != name}
    assert f"{name.lower()} is missing" in refusal(kind, headers)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("fal", "X-Fal-Webhook-Request-Id"),
        ("fal", "X-Fal-Webhook-User-Id"),
        ("replicate", "Webhook-Id"),
    ],
)
def test_what_is_signed_cannot_be_changed(kind: Kind, name: str) -> None:
    assert "fits none" in refusal(kind, {**HEADERS[kind], name: "other"})


@pytest.mark.parametrize("off", [-301, 301])
def test_an_old_signature(off: int) -> None:
    assert "off by more" in refusal("fal", fal_headers(timestamp=str(int(NOW) + off)))
    assert "off by more" in refusal("replicate", replicate_headers(now=NOW + off))


@pytest.mark.parametrize("off", [-300, 300])
def test_a_clock_that_is_a_little_wrong(off: int) -> None:
    verify("fal", fal_headers(timestamp=str(int(NOW) + off)), BODY, KEYS["fal"], NOW)
    verify("replicate", replicate_headers(now=NOW + off), BODY, KEYS["replicate"], NOW)


@pytest.mark.parametrize("time", ["soon", "-1", "1e9", "NaN", "٣", "9" * 5000, " 1790000000"])
def test_a_time_that_is_none(time: str) -> None:
    refusal("fal", {**HEADERS["fal"], "X-Fal-Webhook-Timestamp": time})
    refusal("replicate", {**HEADERS["replicate"], "Webhook-Timestamp": time})


@pytest.mark.parametrize("signature", ["", "xyz", "00", "00" * 64, "é" * 128])
def test_a_signature_that_is_none(signature: str) -> None:
    refusal("fal", {**HEADERS["fal"], "X-Fal-Webhook-Signature": signature})
    refusal("replicate", {**HEADERS["replicate"], "Webhook-Signature": signature})
    refusal("bfl", {"X-BFL-Signature": signature})


def test_one_of_several_signatures_of_a_rotated_secret() -> None:
    both = f"v1a,x {replicate_headers(OTHER_SECRET)['Webhook-Signature']} {HEADERS['replicate']['Webhook-Signature']}"
    verify("replicate", {**HEADERS["replicate"], "Webhook-Signature": both}, BODY, (SECRET,), NOW)


def test_a_signature_of_another_version() -> None:
    signature = HEADERS["replicate"]["Webhook-Signature"].replace("v1,", "v2,")
    refusal("replicate", {**HEADERS["replicate"], "Webhook-Signature": signature})


def test_a_secret_that_is_none() -> None:
    with pytest.raises(BadSignatureError, match="whsec_ and base64"):
        verify("replicate", HEADERS["replicate"], BODY, ("not base64!",), NOW)


@pytest.mark.parametrize("key", ["", "!", "YQ", "ü"])
def test_a_key_that_is_none(key: str) -> None:
    with pytest.raises(BadSignatureError, match="fits none"):
        verify("fal", HEADERS["fal"], BODY, (key,), NOW)


def test_bfl_may_leave_the_prefix_out() -> None:
    signature = HEADERS["bfl"]["X-BFL-Signature"].removeprefix("sha256=").upper()
    verify("bfl", {"X-BFL-Signature": signature}, BODY, KEYS["bfl"], NOW)


@pytest.mark.parametrize("kind", ["openai", "comfyui", "stability"])
def test_a_kind_that_does_not_ring(kind: Kind) -> None:
    with pytest.raises(BadSignatureError, match="does not ring"):
        verify(kind, {}, BODY, ("x",), NOW)


@pytest.mark.parametrize(
    ("key_set", "keys"),
    [
        ({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "abc"}, {"kty": "RSA", "n": "x"}]}, ("abc",)),
        ({"keys": [{"crv": "Ed25519"}, {"crv": "Ed25519", "x": 7}, "odd", None]}, ()),
        ({"keys": {}}, ()),
        ({}, ()),
        ([], ()),
        (None, ()),
    ],
)
def test_the_key_set_of_fal(key_set: JsonValue, keys: tuple[str, ...]) -> None:
    assert fal_keys(key_set) == keys


@given(
    kind=st.sampled_from(KINDS),
    values=st.lists(st.text(), min_size=4, max_size=4),
    body=st.binary(),
)
def test_nothing_else_passes_or_breaks(kind: Kind, values: list[str], body: bytes) -> None:
    headers = dict(zip(HEADERS[kind], values, strict=False))
    with pytest.raises(BadSignatureError):
        verify(kind, headers, body, KEYS[kind], NOW)
