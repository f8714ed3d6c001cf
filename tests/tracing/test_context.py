"""What of a trace travels, and which ids the spans of a run have."""

from __future__ import annotations

import pytest
from temporalio.api.common.v1 import Payload

from runtime.tracing_context import HEADER, Position, run_span_id

PARENT = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.mark.parametrize("state", [None, "vendor=1,other=2"])
def test_a_position_survives_the_way_through_temporal(state: str | None) -> None:
    position = Position(PARENT, state)
    assert Position.received(position.sent({})) == position


def test_a_position_keeps_the_headers_of_others_and_takes_no_baggage_along() -> None:
    position = Position.of({"traceparent": PARENT, "tracestate": "v=1", "baggage": "user=ada"})
    assert position is not None
    assert position.carrier == {"traceparent": PARENT, "tracestate": "v=1"}
    assert set(position.sent(Position(PARENT).sent({}))) == {HEADER}


@pytest.mark.parametrize("carrier", [{}, {"traceparent": "nothing"}, {"traceparent": 7}, {"tracestate": "v=1"}])
def test_what_names_no_position_is_none(carrier: dict[str, object]) -> None:
    assert Position.of(carrier) is None
    assert Position.received({}) is None


@pytest.mark.parametrize("data", [b"", b"not json", b"[]", b'"text"', b"\xff"])
@pytest.mark.parametrize("encoding", [b"json/plain", b"binary/encrypted"])
def test_a_header_that_cannot_be_read_is_none(data: bytes, encoding: bytes) -> None:
    assert Position.received({HEADER: Payload(metadata={"encoding": encoding}, data=data)}) is None


def test_a_child_stays_in_the_trace() -> None:
    child = Position(PARENT, "v=1").below("c" * 16)
    assert (child.trace_id, child.span_id, child.tracestate) == ("a" * 32, "c" * 16, "v=1")
    assert child.traceparent.endswith("-01")


def test_the_span_of_a_run_has_the_same_id_each_time_and_no_other_has_it() -> None:
    ids = [run_span_id(run, what) for run in ("run-1", "run-2") for what in ("run", "complete")]
    assert len(set(ids)) == 4
    assert run_span_id("run-1", "run") == ids[0]
    assert all(len(one) == 16 and int(one, 16) for one in ids)
