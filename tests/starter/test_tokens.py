"""JSON Web Tokens open the door only when everything about them is right, and are refused in n8n's words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jwt.algorithms import get_default_algorithms
from jwt.utils import base64url_encode
from starlette.datastructures import Headers

from operations.caller_credentials import caller_headers
from runtime.secrets import SecretMissingError
from runtime.settings import JwtAuth
from starter.access.authentication import Denied, denial
from starter.access.tokens import token_problem

NOW = 1_700_000_000
KEY = "made-up-jwt-secret-of-some-length"
CLAIMS = {"sub": "odoo"}


def part(value: object) -> str:
    return base64url_encode(json.dumps(value).encode()).decode()


def token(claims: object = CLAIMS, key: str = KEY, algorithm: str = "HS256", header: object = None) -> str:
    signed = f"{part(header or {'alg': algorithm, 'typ': 'JWT'})}.{part(claims)}"
    signer = get_default_algorithms()[algorithm]
    return f"{signed}.{base64url_encode(signer.sign(signed.encode(), signer.prepare_key(key))).decode()}"


@pytest.fixture
def secret(tmp_path: Path) -> str:
    (tmp_path / "jwt").write_text(KEY, encoding="utf-8")
    return f"file:{tmp_path / 'jwt'}"


def auth(reference: str | tuple[str, ...], **more: Any) -> JwtAuth:
    return JwtAuth.model_validate({"kind": "jwt", "secret": reference, **more})


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (token(), None),
        (token({**CLAIMS, "exp": NOW + 1, "nbf": NOW}), None),
        ("abc", "jwt malformed"),
        ("a.b.c.d", "jwt malformed"),
        ("a.b.c", "invalid token"),
        ("..", "invalid token"),
        (f"{part([1])}.{part({})}.x", "invalid token"),
        (token() + "!", "invalid token"),
        (token().rpartition(".")[0] + ".", "jwt signature is required"),
        (f"{part({'alg': 'none'})}.{part(CLAIMS)}.", "jwt signature is required"),
        (f"{part({'alg': 'none'})}.{part(CLAIMS)}.AAAA", "invalid algorithm"),
        (f"{part({'alg': 5})}.{part(CLAIMS)}.AAAA", "invalid algorithm"),
        (token(algorithm="HS512"), "invalid algorithm"),
        (token(key="another-made-up-secret-of-some-length"), "invalid signature"),
        (token()[:-4] + "AAAA", "invalid signature"),
        (token({**CLAIMS, "exp": NOW}), "jwt expired"),
        (token({**CLAIMS, "exp": "soon"}), "invalid exp value"),
        (token({**CLAIMS, "exp": True}), "invalid exp value"),
        (token({**CLAIMS, "nbf": NOW + 1}), "jwt not active"),
        (token({**CLAIMS, "nbf": None}), "invalid nbf value"),
        (token({**CLAIMS, "nbf": NOW + 1, "exp": NOW - 1}), "jwt not active"),
        (token({**CLAIMS, "exp": NOW - 1}, key="another-made-up-secret-of-some-length"), "invalid signature"),
    ],
)
def test_each_fault_has_n8ns_words(secret: str, given: str, problem: str | None) -> None:
    assert token_problem(auth(secret), given, NOW) == problem


@pytest.mark.parametrize(
    ("claims", "problem"),
    [
        ({"aud": "us", "iss": "odoo", "exp": NOW - 5, "nbf": NOW + 5}, None),
        ({"aud": ["them", "us"], "iss": "odoo"}, None),
        ({"aud": "them", "iss": "odoo"}, "jwt audience invalid. expected: us"),
        ({"iss": "odoo"}, "jwt audience invalid. expected: us"),
        ({"aud": "us", "iss": "evil"}, "jwt issuer invalid. expected: odoo"),
        ({"aud": "us", "iss": "odoo", "exp": NOW - 11}, "jwt expired"),
    ],
)
def test_audience_issuer_and_leeway_count_where_they_are_set(
    secret: str, claims: Mapping[str, Any], problem: str | None
) -> None:
    strict = auth(secret, audience="us", issuer="odoo", leeway_s=10)
    assert token_problem(strict, token(claims), NOW) == problem


def test_any_live_secret_verifies(secret: str, tmp_path: Path) -> None:
    (tmp_path / "new").write_text("a-new-made-up-secret-of-some-length", encoding="utf-8")
    both = auth((f"file:{tmp_path / 'new'}", secret, f"file:{tmp_path / 'absent'}"))
    assert token_problem(both, token(), NOW) is None
    assert token_problem(both, token(key="a-new-made-up-secret-of-some-length"), NOW) is None


def pems(key: PrivateKeyTypes) -> tuple[str, str]:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return private, public


RSA = pems(rsa.generate_private_key(65537, 2048))
P256 = pems(ec.generate_private_key(ec.SECP256R1()))


@pytest.mark.parametrize(
    ("algorithm", "pair"),
    [("RS256", RSA), ("RS512", RSA), ("PS256", RSA), ("ES256", P256)],
    ids=lambda value: value[:5],
)
@pytest.mark.parametrize("escaped", [False, True])
def test_public_keys_verify_and_are_never_a_secret(
    algorithm: str, pair: tuple[str, str], escaped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = pair
    monkeypatch.setenv("PUBLIC_KEY", public.replace("\n", "\\n") if escaped else public)
    checked = JwtAuth.model_validate({"kind": "jwt", "algorithms": [algorithm], "public_key": "env:PUBLIC_KEY"})
    assert token_problem(checked, token(key=private, algorithm=algorithm), NOW) is None
    assert token_problem(checked, token(key=KEY), NOW) == "invalid algorithm"


def test_a_key_that_is_none_is_our_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_KEY", "no key at all")
    checked = JwtAuth.model_validate({"kind": "jwt", "algorithms": ["RS256"], "public_key": "env:PUBLIC_KEY"})
    with pytest.raises(SecretMissingError, match="is no key for RS256"):
        token_problem(checked, token(key=RSA[0], algorithm="RS256"), NOW)


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (f"Bearer {token()}", None),
        (f"Token {token()} and more", None),
        (token(), Denied(401, "No token provided")),
        (f"Bearer  {token()}", Denied(401, "No token provided")),
        ("Bearer", Denied(401, "No token provided")),
        ("Bearer abc", Denied(403, "jwt malformed")),
    ],
)
def test_the_token_is_the_second_word_of_the_header(secret: str, header: str, problem: Denied | None) -> None:
    assert denial(auth(secret), Headers({"Authorization": header})) == problem


def test_what_we_send_to_ourselves_opens_the_door(secret: str) -> None:
    named = auth(secret, algorithms=["HS512"], audience="us", issuer="odoo")
    assert denial(named, Headers(caller_headers(named, b"{}"))) is None
