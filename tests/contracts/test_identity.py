"""Ids and digests: the same input always gives the same, other input another."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.identity import (
    WORKFLOW_ID_LIMIT,
    content_digest,
    header_value,
    idempotency_key,
    sha256_hex,
    store_key,
    traceparent,
    workflow_id,
)
from tests.contracts.strategies import hostile_text

CHEAP = settings(deadline=None, max_examples=100)
ANY_ID = hostile_text(1, 400)
VALID = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
LEGAL_HEADER = re.compile(r"[!-~]([ -~]*[!-~])?")


def test_content_digest_ignores_order_and_nothing_else() -> None:
    assert content_digest({"a": 1, "b": {"c": [1, 2]}}) == content_digest({"b": {"c": [1, 2]}, "a": 1})
    assert content_digest({"a": [1, 2]}) != content_digest({"a": [2, 1]})
    assert content_digest({"a": "1"}) != content_digest({"a": 1})
    assert content_digest({"a": None}) != content_digest({})
    # A digest stands in memos of running workflows: it must not change with a release.
    assert content_digest({"ü": 1}) == sha256_hex(b'{"\\u00fc":1}')


@pytest.mark.parametrize("request_id", ["fake-1", "with space", "ümlaut", "a/b", "x" * 880])
def test_workflow_id_is_readable(request_id: str) -> None:
    assert workflow_id("images", request_id) == f"images/{request_id}"


@pytest.mark.parametrize("request_id", ["line\nbreak", "nul \x00", "half \ud800", "x" * 895, "\N{FOX FACE}" * 300])
def test_workflow_id_is_hashed_where_it_must(request_id: str) -> None:
    assert re.fullmatch(r"images/sha256-[0-9a-f]{64}", workflow_id("images", request_id))


@CHEAP
@given(ANY_ID, ANY_ID)
def test_workflow_ids_fit_temporal_and_tell_requests_apart(first: str, second: str) -> None:
    made = workflow_id("images", first)
    assert len(made.encode()) <= WORKFLOW_ID_LIMIT
    assert made.isprintable()
    assert (made == workflow_id("images", second)) == (first == second)
    assert made != workflow_id("other", first)


def test_store_key_tells_requests_and_contents_apart() -> None:
    keys = {store_key(workflow, digest) for workflow in ("images/a", "images/b") for digest in ("1", "2")}
    assert len(keys) == 4
    assert all(re.fullmatch(r"[0-9a-f]{64}", key) for key in keys)


@pytest.mark.parametrize("request_id", ["fake-1", "with space", "a:b"])
def test_header_value_is_the_id_where_a_header_can_carry_it(request_id: str) -> None:
    assert header_value(request_id) == request_id
    assert idempotency_key(request_id, 2) == f"{request_id}:2"


@pytest.mark.parametrize("request_id", [" outer", "outer ", "tab\t", "a\r\nX-Evil: 1", "ümlaut", "x" * 201])
def test_header_value_is_hashed_where_a_header_cannot_carry_it(request_id: str) -> None:
    assert re.fullmatch(r"sha256-[0-9a-f]{64}", header_value(request_id))


@CHEAP
@given(ANY_ID, ANY_ID, st.integers(0, 9), st.integers(0, 9))
def test_idempotency_keys_are_legal_and_unique(first: str, second: str, one: int, other: int) -> None:
    key = idempotency_key(first, one)
    assert LEGAL_HEADER.fullmatch(key)
    assert LEGAL_HEADER.fullmatch(header_value(first))
    assert (key == idempotency_key(second, other)) == ((first, one) == (second, other))


def test_a_valid_traceparent_is_kept() -> None:
    assert traceparent(VALID, "images/fake-1") == VALID


@pytest.mark.parametrize(
    "incoming",
    [
        None,
        "",
        "nonsense",
        VALID.upper(),
        f"{VALID}\n",
        VALID.replace("00-", "ff-", 1),
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
    ],
)
def test_any_other_traceparent_is_derived_from_the_workflow(incoming: str | None) -> None:
    derived = traceparent(incoming, "images/fake-1")
    assert derived != incoming
    assert traceparent(derived, "other") == derived
    assert traceparent(None, "images/fake-1") == derived
    assert traceparent(None, "images/fake-2") != derived
