from __future__ import annotations

import asyncio

import pytest
from pydantic import JsonValue
from temporalio.client import WorkflowExecutionStatus

from contracts import search_attributes
from contracts.dialects import CALLBACK_DIALECTS, DIALECTS
from contracts.names import MEMO_DIGEST, MEMO_REQUEST, WORKFLOW, WORKFLOW_QUEUE
from starter.intake.submission import UNLIMITED, chosen_service, policies
from tests.contracts.examples import EXAMPLES, Body
from tests.starter.front import SECRET, Front, event, fresh_id, started_input

ID_FIELDS = {
    "event": "requestId",
    "correlation": "correlation_id",
    "request": "request_id",
    "adapter": "request_id",
    "endpoint": "ai_generation_request_id",
}
CASES = [(dialect, size) for dialect in sorted(CALLBACK_DIALECTS) for size in ("minimal", "full")]


def example(dialect: str, size: str) -> tuple[str, Body]:
    request_id = fresh_id()
    body = EXAMPLES[dialect]["minimal"] if size == "minimal" else EXAMPLES[dialect]["full"]
    return request_id, {**body, ID_FIELDS[dialect]: request_id}


@pytest.mark.parametrize(("dialect", "size"), CASES)
async def test_a_documented_body_is_acknowledged_as_its_dialect_says_and_is_durable(
    front: Front, dialect: str, size: str
) -> None:
    request_id, body = example(dialect, size)
    answer = await front.post(f"dialect/{dialect}", body)
    intake = DIALECTS[dialect].parse(body)
    assert (answer.status_code, answer.json()) == (200, DIALECTS[dialect].acknowledge(intake.reference))
    order = await started_input(front.workflow(dialect, request_id))
    assert (order.reference, order.request, order.problem) == (intake.reference, intake.request, None)
    assert (order.route, order.odoo, order.service, order.services) == (dialect, "main", "main", ("main", "spare"))
    assert order.envelope == DIALECTS[dialect].envelope


async def test_the_request_is_found_by_its_attributes_and_memo_from_the_start(front: Front) -> None:
    body = event(userId="7", campaignId="31")
    request_id = str(body["requestId"])
    await front.post("dialect/event", body)
    found = await front.workflow("event", request_id).describe()
    attributes = {pair.key.name: pair.value for pair in found.typed_search_attributes}
    assert (found.status, found.workflow_type, found.task_queue) == (
        WorkflowExecutionStatus.RUNNING,
        WORKFLOW,
        WORKFLOW_QUEUE,
    )
    assert attributes == {
        search_attributes.REQUEST_ID.name: request_id,
        search_attributes.ROUTE.name: "event",
        search_attributes.ODOO_DATABASE.name: "acme-prod",
        search_attributes.ODOO_USER.name: "7",
        search_attributes.CAMPAIGN.name: "31",
        search_attributes.SERVICE.name: "main",
        search_attributes.STAGE.name: "generating",
    }
    memo = await found.memo()
    assert memo[MEMO_REQUEST] == {
        "request_id": request_id,
        "route": "event",
        "odoo_database": "acme-prod",
        "service": "main",
        "dialect": "event",
    }
    assert len(memo[MEMO_DIGEST]) == 64
    assert (await found.static_summary()) == f"event {request_id} for acme-prod"
    details = await found.static_details() or ""
    assert "asked by Odoo database `acme-prod`, user 7" in details
    assert "a red fox" not in details


@pytest.mark.parametrize("user", ["ann@example.com", "Ann", "-7", "\N{ARABIC-INDIC DIGIT SEVEN}"])
async def test_only_a_number_is_a_user_that_operators_find_by(front: Front, user: str) -> None:
    body = event(userId=user)
    await front.post("dialect/event", body)
    found = await front.workflow("event", str(body["requestId"])).describe()
    assert found.typed_search_attributes.get(search_attributes.ODOO_USER) is None
    details = await found.static_details() or ""
    assert "asked by Odoo database `acme-prod`, a user without a number" in details
    # A random id may hold "-7" as well.
    assert user not in details.replace(str(body["requestId"]), "")


async def test_a_body_that_fails_its_dialect_is_acknowledged_and_starts_a_workflow_that_says_why(front: Front) -> None:
    body = event(prompt=None, seed="many")
    answer = await front.post("dialect/event", body)
    order = await started_input(front.workflow("event", str(body["requestId"])))
    assert answer.status_code == 200
    assert order.request is None
    assert order.problem is not None
    assert "prompt is required" in order.problem
    assert "; seed must be an integer" in order.problem


async def test_the_same_request_again_gets_the_same_answer_and_starts_nothing(front: Front) -> None:
    body = event()
    first = await front.post("dialect/event", body)
    run = (await front.workflow("event", str(body["requestId"])).describe()).run_id
    # Ignored fields, key order and white space are no other content.
    again = await front.post("dialect/event", {"ignored": 1, **dict(reversed(body.items()))})
    assert (again.status_code, again.content) == (200, first.content)
    assert (await front.workflow("event", str(body["requestId"])).describe()).run_id == run


async def test_an_id_whose_run_was_terminated_may_be_sent_again(front: Front) -> None:
    body = event()
    await front.post("dialect/event", body)
    handle = front.workflow("event", str(body["requestId"]))
    run = (await handle.describe()).run_id
    await handle.terminate()
    again = await front.post("dialect/event", {**body, "prompt": "a blue fox"})
    assert again.status_code == 200
    assert (await handle.describe()).run_id != run


async def test_twenty_equal_posts_at_once_are_one_request(front: Front) -> None:
    body = event()
    before = [await front.counted(result, "event") for result in ("accepted", "deduplicated")]
    answers = await asyncio.gather(*(front.post("dialect/event", body) for _ in range(20)))
    after = [await front.counted(result, "event") for result in ("accepted", "deduplicated")]
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 19]


async def test_the_same_id_with_other_content_is_a_conflict_and_changes_nothing(front: Front) -> None:
    body = event()
    await front.post("dialect/event", body)
    run = (await front.workflow("event", str(body["requestId"])).describe()).run_id
    answer = await front.post("dialect/event", {**body, "prompt": "a blue fox"})
    assert answer.status_code == 409
    assert answer.json() == {
        "code": 409,
        "message": "This request id was taken before with other content: send new content under a new id.",
    }
    assert (await front.workflow("event", str(body["requestId"])).describe()).run_id == run


async def test_the_same_id_on_two_routes_is_two_requests(front: Front) -> None:
    body = event()
    answers = [await front.post(path, body) for path in ("dialect/event", "queued")]
    assert [answer.status_code for answer in answers] == [200, 200]
    runs = {(await front.workflow(route, str(body["requestId"])).describe()).run_id for route in ("event", "queued")}
    assert len(runs) == 2


async def test_the_routes_policies_travel_with_the_request(front: Front) -> None:
    body = event()
    await front.post("queued", body)
    order = await started_input(front.workflow("queued", str(body["requestId"])))
    assert (order.service, order.policies.generate.attempts, order.policies.quick_callback) == ("spare", 2, False)
    assert order.policies.deliver.deadline_s == 72 * 3600
    assert order.policies.inline_limit == 8 * 2**20


def test_without_a_signing_key_images_always_travel_inline(front: Front) -> None:
    store = front.settings.store.model_copy(update={"signing_key": None})
    unsigned = front.settings.model_copy(update={"store": store})
    assert policies(unsigned, unsigned.routes["event"], "main").inline_limit == UNLIMITED


@pytest.mark.parametrize(
    ("hint", "service"), [(None, "spare"), ("FLUX", "main"), ("Main", "main"), ("SPARE", "spare"), ("other", "spare")]
)
def test_the_request_may_name_its_service(front: Front, hint: str | None, service: str) -> None:
    assert chosen_service(front.settings, front.settings.routes["queued"], hint) == service


@pytest.mark.parametrize("incoming", ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "nonsense"])
async def test_a_valid_traceparent_is_kept(front: Front, incoming: str) -> None:
    body = event()
    await front.post("dialect/event", body, {"traceparent": incoming})
    order = await started_input(front.workflow("event", str(body["requestId"])))
    assert (order.traceparent == incoming) is incoming.startswith("00-")


@pytest.mark.parametrize("token", [SECRET, None, "another", 5, ["x"], "\ud83e"])
async def test_a_checked_token_opens_the_door_only_when_it_is_right(front: Front, token: JsonValue) -> None:
    _, body = example("endpoint", "minimal")
    sent: Body = {**body, "security_token": token} if token is not None else body
    answer = await front.post("checked/token", sent)
    assert answer.status_code == (200 if token == SECRET else 403)
    if token != SECRET:
        assert answer.text == "Authorization data is wrong!"


async def test_no_secret_reaches_history_memo_attributes_or_digest(front: Front) -> None:
    request_id, body = example("endpoint", "full")
    headers = {"Authorization": f"Bearer {SECRET.encode().decode('latin-1')}", "X-Api-Key": "made-up-key"}
    first = await front.post("dialect/endpoint", {**body, "security_token": "made-up-one"}, headers)
    second = await front.post("dialect/endpoint", {**body, "security_token": "made-up-two"}, headers)
    assert (first.status_code, second.status_code) == (200, 200)
    handle = front.workflow("endpoint", request_id)
    written = (await handle.fetch_history()).to_json() + str((await handle.describe()).raw_description)
    order = (await started_input(handle)).model_dump_json()
    assert request_id in order
    for secret in ("made-up-one", "made-up-two", "made-up-key", "made-up-s", "security_token"):
        assert secret not in written
        assert secret not in order
