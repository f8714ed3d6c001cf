from __future__ import annotations

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from runtime.retry_after import rate_limit_reset_s, retry_after_s

NOW = 1_800_000_000.0
"""Fri, 15 Jan 2027 08:00:00 GMT"""
RETRY_INFO: JsonValue = {"error": {"details": [{"@type": "Help"}, {"@type": "RetryInfo", "retryDelay": "3.5s"}]}}


@pytest.mark.parametrize(
    ("headers", "content", "delay"),
    [
        ({}, None, None),
        ({"Retry-After": "2"}, None, 2),
        ({"RETRY-AFTER": " 1.5 "}, None, 1.5),
        ({"Retry-After": "0"}, None, 0),
        ({"Retry-After": "Fri, 15 Jan 2027 08:00:30 GMT"}, None, 30),
        ({"retry-after-ms": "250", "Retry-After": "9"}, None, 0.25),
        ({"retry-after-ms": "soon", "Retry-After": "9"}, None, 9),
        ({"Retry-After": "-1"}, None, None),
        ({"Retry-After": "nan"}, None, None),
        ({"Retry-After": "inf"}, None, None),
        ({"Retry-After": "1e999"}, None, None),
        ({"Retry-After": "soon"}, None, None),
        ({"Retry-After": "Fri, 15 Jan 2027 07:59:00 GMT"}, None, None),
        ({"Retry-After": "Fri, 15 Jan 2027 08:00:30 -0000"}, None, 30),
        ({"Retry-After": "Fri, 15 Jan 2027 09:00:30 +0100"}, None, 30),
        # Clocks differ: the service's says when 30 s are over.
        ({"Retry-After": "Fri, 15 Jan 2027 09:00:30 GMT", "Date": "Fri, 15 Jan 2027 09:00:00 GMT"}, None, 30),
        ({"Retry-After": "Fri, 15 Jan 2027 06:00:30 GMT", "Date": "Fri, 15 Jan 2027 06:00:00 GMT"}, None, 30),
        ({"Retry-After": "Fri, 15 Jan 2027 08:00:30 GMT", "Date": "Fri, 15 Jan 2027 08:00:40 GMT"}, None, None),
        ({"Retry-After": "Fri, 15 Jan 2027 08:00:30 GMT", "Date": "now"}, None, 30),
        ({"Retry-After": "4"}, {"retry_after": 10}, 4),
        ({"Retry-After": "-4"}, {"retry_after": 10}, 10),
        ({}, {"retry_after": 10}, 10),
        ({}, {"retry_after": "7"}, 7),
        ({}, {"retry_after": True}, None),
        ({}, {"retry_after": -3}, None),
        ({}, {"retry_after": 10**400}, None),
        ({}, {"error": {"retry_after": 1.25}}, 1.25),
        ({}, {"detail": {"retry_after": "1m30s"}}, 90),
        ({}, RETRY_INFO, 3.5),
        ({}, {"retry_after": 5, "error": {"details": [{"retryDelay": "3s"}]}}, 5),
        ({}, {"error": {"details": ["x", {"retryDelay": "never"}]}}, None),
        ({}, ["retry_after", 3], None),
        ({"x-ratelimit-reset-requests": "9s"}, None, None),
    ],
)
def test_retry_after(headers: dict[str, str], content: JsonValue, delay: float | None) -> None:
    assert retry_after_s(httpx.Headers(headers), json.dumps(content).encode(), now=NOW) == delay


@pytest.mark.parametrize(
    ("headers", "delay"),
    [
        ({}, None),
        ({"x-ratelimit-reset": "6m0s"}, 360),
        ({"x-ratelimit-reset-requests": "59.9s"}, 59.9),
        ({"x-ratelimit-reset-tokens": "1h2m3s"}, 3723),
        ({"x-ratelimit-reset-requests": "250ms"}, 0.25),
        ({"x-ratelimit-reset-requests": "12"}, 12),
        ({"x-ratelimit-reset-requests": "later"}, None),
        ({"x-ratelimit-reset-requests": "2s", "x-ratelimit-reset-tokens": "9s"}, 2),
        (
            {
                "x-ratelimit-reset-requests": "2s",
                "x-ratelimit-reset-tokens": "9s",
                "x-ratelimit-remaining-requests": "3",
                "x-ratelimit-remaining-tokens": "0",
            },
            9,
        ),
    ],
)
def test_rate_limit_reset(headers: dict[str, str], delay: float | None) -> None:
    assert rate_limit_reset_s(httpx.Headers(headers)) == delay


@given(header=st.text(st.characters(max_codepoint=0xFF)), body=st.binary())
def test_no_answer_breaks_the_parser(header: str, body: bytes) -> None:
    headers = {"retry-after": header, "retry-after-ms": header, "x-ratelimit-reset": header}
    delay = retry_after_s(headers, body, now=NOW)
    assert delay is None or 0 <= delay < float("inf")
    assert (rate_limit_reset_s(headers) or 0) >= 0
