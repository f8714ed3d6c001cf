"""Signed image URLs: what we sign is accepted until it expires, and nothing else is."""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.image_urls import PREFIX, is_valid, sign

BASE = "https://images.example"
KEYS = st.text(min_size=16, max_size=40)
DIGESTS = st.binary(max_size=20).map(lambda content: sha256(content).hexdigest())
EXPIRIES = st.integers(min_value=1, max_value=10**12 - 1)


Parts = tuple[str, str, str]
Signed = tuple[str, Parts]


def parts(url: str) -> Parts:
    """Digest, expiry and signature of a URL, as the starter gets them."""
    split = urlsplit(url)
    query = parse_qs(split.query, strict_parsing=True)
    return split.path.removeprefix(PREFIX), query["expires"][0], query["signature"][0]


def replaced(told: Parts, part: int, value: str) -> Parts:
    """The parts with one of them replaced."""
    digest, expires_at, signature = (value if place == part else old for place, old in enumerate(told))
    return digest, expires_at, signature


SIGNED = st.builds(lambda digest, at, key: (key, parts(sign(BASE, digest, at, key))), DIGESTS, EXPIRIES, KEYS)


@given(DIGESTS, EXPIRIES, KEYS)
def test_what_was_signed_is_valid_until_it_expires(digest: str, expires_at: int, key: str) -> None:
    url = sign(BASE, digest, expires_at, key)
    assert url.startswith(f"{BASE}/images/{digest}?")
    assert parts(url)[:2] == (digest, str(expires_at))
    assert is_valid(*parts(url), keys=[key], now=expires_at - 0.001)


@pytest.mark.parametrize(("now", "valid"), [(0.0, True), (999.999, True), (1000.0, False), (1000.001, False)])
def test_the_border_of_expiry(now: float, *, valid: bool) -> None:
    assert is_valid(*parts(sign(BASE, "a" * 64, 1000, "key" * 8)), keys=["key" * 8], now=now) is valid


@given(SIGNED, st.integers(0, 2), st.integers(0, 200), st.characters())
def test_any_changed_character_is_refused(signed: Signed, part: int, place: int, new: str) -> None:
    key, told = signed
    old = told[part]
    place %= len(old)
    changed = old[:place] + new + old[place + 1 :]
    assert is_valid(*replaced(told, part, changed), keys=[key], now=0) is (changed == old)


@given(SIGNED, st.integers(0, 2), st.text(min_size=1, max_size=5))
def test_anything_added_is_refused(signed: Signed, part: int, more: str) -> None:
    key, told = signed
    assert not is_valid(*replaced(told, part, more + told[part]), keys=[key], now=0)
    assert not is_valid(*replaced(told, part, told[part] + more), keys=[key], now=0)


@given(DIGESTS, EXPIRIES, KEYS, KEYS)
def test_another_key_is_refused(digest: str, expires_at: int, key: str, other: str) -> None:
    assert is_valid(*parts(sign(BASE, digest, expires_at, key)), keys=[other], now=0) is (key == other)


@given(st.text(), st.text(), st.text())
def test_no_text_breaks_the_check(digest: str, expires_at: str, signature: str) -> None:
    assert not is_valid(digest, expires_at, signature, keys=["key" * 8], now=0)


@pytest.mark.parametrize("expires_at", ["", "-1", "+1", "1e3", "1_0", "0x1", "٣", "9" * 13, " 1", "1.0", "01"])
def test_only_plain_digits_expire(expires_at: str) -> None:
    digest = "a" * 64
    signature = parts(sign(BASE, digest, 1, "key" * 8))[2]
    assert not is_valid(digest, expires_at, signature, keys=["key" * 8], now=0)
