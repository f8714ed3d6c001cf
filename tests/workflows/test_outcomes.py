from __future__ import annotations

import asyncio

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from contracts import names, search_attributes
from contracts.decisions import Discard, Redrive
from contracts.errors import FailureClass
from contracts.requests import DeliverInput, Generation, Outcome, Stage
from runtime.updates import execute_update
from tests.workflows.harness import IMAGES, JOB, Doubles, Handle, bench, failed, parked, policies, status


async def _attributes(handle: Handle) -> dict[str, str]:
    described = await handle.describe()
    pairs = described.typed_search_attributes.search_attributes
    return {pair.key.name: str(pair.value) for pair in pairs}


async def test_a_request_is_generated_delivered_and_settled(temporal_client: Client) -> None:
    async with bench(temporal_client, Doubles()) as here:
        handle = await here.start()
        result = await handle.result()
        assert result.outcome is Outcome.COMPLETED
        assert result.generated == IMAGES
        assert here.doubles.told == ["completed"]
        found = await _attributes(handle)
        assert (found["Stage"], found["Outcome"]) == ("settled", "completed")
        assert "DeadLetterCause" not in found


async def test_the_common_case_is_thirteen_events_and_keeps_bytes_out(temporal_client: Client) -> None:
    async with bench(temporal_client, Doubles()) as here:
        handle = await here.start()
        await handle.result()
        history = await handle.fetch_history()
        assert len(history.events) == 13
        assert sum(event.ByteSize() for event in history.events) < 4096


async def test_a_wrong_body_is_rejected_without_a_call(temporal_client: Client) -> None:
    async with bench(temporal_client, Doubles()) as here:
        result = await (await here.start(request=None, problem="prompt is required and missing")).result()
        assert result.outcome is Outcome.REJECTED
        assert not here.doubles.generated
        (told,) = here.doubles.delivered
        assert told.outcome.failure is not None
        assert told.outcome.failure.rule.code == "INPUT_VALIDATION_ERROR"
        assert "prompt" in told.outcome.failure.message


async def test_refused_content_is_a_business_answer_not_a_dead_letter(temporal_client: Client) -> None:
    doubles = Doubles(generate=[failed(FailureClass.CONTENT_REJECTED)])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start()
        assert (await handle.result()).outcome is Outcome.REJECTED
        assert doubles.told == ["CONTENT_REJECTED"]
        assert (await _attributes(handle))["FailureCode"] == "CONTENT_REJECTED"


async def test_a_dead_letter_tells_odoo_waits_and_is_redriven_without_a_new_generation(
    temporal_client: Client,
) -> None:
    doubles = Doubles(generate=[failed(FailureClass.PROVIDER_OVERLOADED), Generation(generated=IMAGES)])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start()
        assert (await parked(handle)).failure is FailureClass.PROVIDER_OVERLOADED
        found = await _attributes(handle)
        assert (found["Stage"], found["DeadLetterCause"]) == ("parked", "ProviderOverloaded")
        assert found["FailureCode"] == "AI_SERVICE_UNAVAILABLE"
        while not doubles.delivered:
            await asyncio.sleep(0.02)
        await handle.execute_update(names.REDRIVE, Redrive(by="op", reason="service is back"))
        assert (await handle.result()).outcome is Outcome.COMPLETED
        assert doubles.told == ["AI_SERVICE_UNAVAILABLE", "completed"]
        assert [call.generation for call in doubles.generated] == [1, 1]
        failed_first, completed = (call.delivery.number for call in doubles.delivered)
        assert completed == failed_first + 1
        found = await _attributes(handle)
        assert "DeadLetterCause" not in found
        assert "FailureCode" not in found


async def test_edits_and_another_service_start_a_new_generation(temporal_client: Client) -> None:
    doubles = Doubles(generate=[failed(FailureClass.OUTCOME_UNKNOWN), Generation(generated=IMAGES)])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start()
        await parked(handle)
        command = Redrive(by="op", reason="try elsewhere", edits={"prompt": "a blue car"}, service=here.other_service)
        for update in (names.REDRIVE, names.REDRIVE_WITH_EDITS):
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await handle.execute_update(update, command)
            assert "to pay for another one, add generate_again" in str(refused.value.cause)
        await handle.execute_update(names.REDRIVE, command.model_copy(update={"generate_again": True}))
        await handle.result()
        again = doubles.generated[1]
        assert (again.generation, again.service, again.request.prompt) == (2, here.other_service, "a blue car")
        assert (await _attributes(handle))["ImageService"] == here.other_service


async def test_an_undelivered_callback_parks_and_its_redrive_never_generates_again(temporal_client: Client) -> None:
    undeliverable, refused = failed(FailureClass.CALLBACK_UNDELIVERABLE), failed(FailureClass.CALLBACK_REFUSED)
    doubles = Doubles(deliver=[undeliverable, refused, None])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start()
        assert (await parked(handle)).failure is FailureClass.CALLBACK_REFUSED
        assert len(doubles.delivered) == 2, "an undeliverable callback sends no failure callback"
        await handle.execute_update(names.REDRIVE, Redrive(by="op", reason="secret corrected"))
        assert (await handle.result()).outcome is Outcome.COMPLETED
        assert len(doubles.generated) == 1
        assert len({_what_must_not_change(call) for call in doubles.delivered}) == 1


def _what_must_not_change(call: DeliverInput) -> str:
    return call.model_copy(update={"quick": False}).model_dump_json()


async def test_a_callback_that_is_refused_for_good_is_not_posted_again_before_an_operator_decides(
    temporal_client: Client,
) -> None:
    doubles = Doubles(deliver=[failed(FailureClass.CALLBACK_REFUSED), None])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start()
        await parked(handle)
        assert len(doubles.delivered) == 1
        await handle.execute_update(names.REDRIVE, Redrive(by="op", reason="secret corrected"))
        assert (await handle.result()).outcome is Outcome.COMPLETED


async def test_a_discarded_request_leaves_the_dead_letters_at_once_even_while_odoo_is_down(
    temporal_client: Client,
) -> None:
    doubles = Doubles(generate=[failed(FailureClass.QUOTA_EXHAUSTED)], hold=names.DELIVER)
    async with bench(temporal_client, doubles) as here:
        handle = await here.start()
        await parked(handle)
        await execute_update(handle, names.DISCARD, [Discard(by="op", reason="not wanted any more")])
        while (found := await _attributes(handle)).get("DeadLetterCause"):
            await asyncio.sleep(0.02)
        assert found["Stage"] == "delivering"
        doubles.release.set()
        assert (await handle.result()).outcome is Outcome.DISCARDED
        assert doubles.told == ["AI_QUOTA_EXHAUSTED"]


async def test_without_a_quick_try_the_callback_goes_by_its_own_queue(temporal_client: Client) -> None:
    async with bench(temporal_client, Doubles()) as here:
        handle = await here.start(policies=policies(quick_callback=False))
        await handle.result()
        assert [call.quick for call in here.doubles.delivered] == [False]


async def test_images_above_the_inline_limit_travel_as_urls(temporal_client: Client) -> None:
    async with bench(temporal_client, Doubles()) as here:
        await (await here.start(policies=policies(inline_limit=1000))).result()
        assert here.doubles.delivered[0].delivery.images == "url"


@pytest.mark.parametrize("by_signal", [False, True])
async def test_a_discarded_request_ends_completed_with_that_outcome(temporal_client: Client, by_signal: bool) -> None:
    doubles = Doubles(generate=[failed(FailureClass.QUOTA_EXHAUSTED)])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start()
        await parked(handle)
        command = Discard(by="op", reason="not wanted any more")
        await (handle.signal(names.DISCARD, command) if by_signal else execute_update(handle, names.DISCARD, [command]))
        result = await handle.result()
        assert result.outcome is Outcome.DISCARDED
        assert result.failure is not None
        assert result.failure.failure is FailureClass.QUOTA_EXHAUSTED
        assert doubles.told == ["AI_QUOTA_EXHAUSTED"]


async def test_a_redrive_by_signal_counts_once(temporal_client: Client) -> None:
    doubles = Doubles(generate=[failed(FailureClass.PROVIDER_INTERNAL)])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start()
        await parked(handle)
        for _ in range(2):
            await handle.signal(names.REDRIVE, Redrive(by="op", reason="again", parking=1))
        await parked(handle, 2)
        assert len(doubles.generated) == 2
        assert "void" in "\n".join((await status(handle)).log)
        await handle.signal(names.DISCARD, Discard(by="op", reason="enough"))
        await handle.result()


async def test_a_request_that_nobody_decides_about_expires_and_fails(temporal_client: Client) -> None:
    doubles = Doubles(generate=[failed(FailureClass.MODEL_NOT_FOUND)])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start(policies=policies(park_s=0.3))
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
        assert isinstance(raised.value.cause, ApplicationError)
        assert raised.value.cause.type == "Expired"
        assert doubles.told == ["AI_CONFIGURATION_ERROR", "EXPIRED"]
        assert (await _attributes(handle))["Outcome"] == "expired"


async def test_an_expired_id_that_is_sent_again_uses_neither_keys_nor_later_generations_of_the_first_run(
    temporal_client: Client,
) -> None:
    doubles = Doubles(generate=[failed(FailureClass.OUTCOME_UNKNOWN)])
    async with bench(temporal_client, doubles) as here:
        first = await here.start(policies=policies(park_s=1.2))
        await parked(first)
        await first.execute_update(names.REDRIVE, Redrive(by="op", reason="again", generate_again=True))
        with pytest.raises(WorkflowFailureError):
            await first.result()
        keys, stores = {call.delivery.number for call in doubles.delivered}, {c.store_key for c in doubles.generated}
        second = await here.start()
        await parked(second)
        await second.execute_update(names.REDRIVE, Redrive(by="op", reason="again", generate_again=True))
        await parked(second, 2)
        await execute_update(second, names.DISCARD, [Discard(by="op", reason="end of test")])
        await second.result()
        generations = [(call.generation, call.store_key) for call in doubles.generated]
        assert generations[0] == generations[2], "the first generation is paid for once, whatever run asks"
        assert generations[1][1] != generations[3][1]
        assert len(stores) == 2
        assert not keys & {call.delivery.number for call in doubles.delivered[len(keys) :]}


async def test_a_delivery_by_url_never_runs_where_its_expiry_could_change(temporal_client: Client) -> None:
    async with bench(temporal_client, Doubles()) as here:
        await (await here.start(policies=policies(images="url"))).result()
        assert [call.quick for call in here.doubles.delivered] == [False]


async def test_a_job_is_waited_for_and_stored_by_activities_of_their_own(temporal_client: Client) -> None:
    doubles = Doubles(generate=[Generation(job=JOB)])
    async with bench(temporal_client, doubles) as here:
        assert (await (await here.start()).result()).outcome is Outcome.COMPLETED
        assert [job.job for job in doubles.polled] == [job.job for job in doubles.collected] == [JOB]


@pytest.mark.parametrize("job", [False, True])
async def test_cancelling_a_running_request_tells_odoo_and_ends_completed(temporal_client: Client, job: bool) -> None:
    doubles = Doubles(hold=names.POLL if job else names.GENERATE)
    if job:
        doubles.generate = [Generation(job=JOB)]
    async with bench(temporal_client, doubles) as here:
        handle = await here.start()
        while not (doubles.polled if job else doubles.generated):
            await asyncio.sleep(0.02)
        await handle.cancel()
        assert (await handle.result()).outcome is Outcome.CANCELLED
        assert doubles.told == ["CANCELLED"]
        assert len(doubles.cancelled) == job
        doubles.release.set()


async def test_cancelling_a_parked_request_ends_it(temporal_client: Client) -> None:
    doubles = Doubles(generate=[failed(FailureClass.PROVIDER_INTERNAL)])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start()
        await parked(handle)
        await handle.cancel()
        assert (await handle.result()).outcome is Outcome.CANCELLED
        assert doubles.told[-1] == "CANCELLED"
        assert (await _attributes(handle))["Stage"] == str(Stage.SETTLED)


def test_sql_visibility_holds_ten_keyword_attributes() -> None:
    assert len(search_attributes.ALL) == 10
