from __future__ import annotations

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowUpdateFailedError

from contracts import names
from contracts.decisions import Decision, Discard, Redrive
from contracts.errors import FailureClass
from runtime.updates import execute_update
from tests.workflows.harness import Doubles, Handle, bench, failed, parked, status


async def _refused(handle: Handle, name: str, decision: Decision) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as raised:
        await handle.execute_update(name, decision)
    return str(raised.value.cause)


async def test_decisions_that_cannot_be_taken_are_refused_with_the_reason(temporal_client: Client) -> None:
    doubles = Doubles(generate=[failed(FailureClass.PROVIDER_INTERNAL)])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start()
        await parked(handle)
        cases = {
            "no such field: prommpt": Redrive(by="op", reason="x", edits={"prommpt": "a"}),
            "width": Redrive(by="op", reason="x", edits={"width": "wide"}),
            "unknown image service 'nowhere'": Redrive(by="op", reason="x", service="nowhere"),
            "parking 7": Redrive(by="op", reason="x", parking=7),
        }
        for expected, decision in cases.items():
            assert expected in await _refused(handle, names.REDRIVE, decision)
        assert "parking 3" in await _refused(handle, names.DISCARD, Discard(by="op", reason="x", parking=3))
        assert len(doubles.generated) == 1
        await execute_update(handle, names.DISCARD, [Discard(by="op", reason="end of test")])
        await handle.result()


async def test_a_delivery_cannot_be_redriven_with_edits(temporal_client: Client) -> None:
    doubles = Doubles(deliver=[failed(FailureClass.CALLBACK_REFUSED)])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start()
        await parked(handle)
        redrive = Redrive(by="op", reason="x", edits={"prompt": "other"})
        assert "only the callback" in await _refused(handle, names.REDRIVE, redrive)
        await execute_update(handle, names.DISCARD, [Discard(by="op", reason="end of test")])
        await handle.result()


async def test_status_and_details_say_what_an_operator_needs(temporal_client: Client) -> None:
    doubles = Doubles(generate=[failed(FailureClass.AUTHENTICATION_FAILED, "HTTP 401: bad key `x`")])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start()
        await parked(handle)
        metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        details = metadata.current_details
        for expected in ("Dead letter 1", "AuthenticationFailed", "AI_CONFIGURATION_ERROR", "HTTP 401", "redrive"):
            assert expected in details
        assert "`x`" not in details, "text from outside must not open Markdown of its own"
        assert any("parked as dead letter 1" in line for line in (await status(handle)).log)
        await execute_update(handle, names.DISCARD, [Discard(by="op", reason="end of test")])
        await handle.result()
