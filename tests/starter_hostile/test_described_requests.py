"""Requests made from the description, proper and improper: no answer is our mistake, and every one is described."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from starter.openapi.document import rendered
from tests.starter.front import Front

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 15
"""Per operation and way of generation."""


def explored(front: Front) -> Iterator[APIOperation[Any, Any, Any, Any]]:
    """The operations; of webhooks, one route for each dialect and one for each kind of authentication."""
    schema = schemathesis.openapi.from_dict(json.loads(rendered(front.settings)))
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if not operation.path.startswith("/webhook/") or operation.path.split("/")[2] in {"dialect", "auth"}:
            yield operation


def explore(operation: APIOperation[Any, Any, Any, Any], mode: schemathesis.GenerationMode, url: str) -> bool:
    """Ask the starter what the description allows, or something near it; False where nothing is near it."""

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(base_url=url, checks=CHECKS)

    try:
        check()
    except Unsatisfiable:
        return False
    return True


# Hypothesis takes the starter's own draws, in this process's other thread, for some of its strategies'.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
async def test_every_answer_is_described(front: Front, mode: schemathesis.GenerationMode) -> None:
    told = [await asyncio.to_thread(explore, operation, mode, front.url) for operation in explored(front)]
    assert told.count(True) >= 10
