"""One trace over Odoo, starter, workflow, each attempt, image service and callback, by real processes."""

from __future__ import annotations

import json
from collections import Counter

from contracts.requests import Stage
from operations.replaying import replay_live
from tests.crashes.orders import FREE, PAID, Order, orders, until
from tests.metrics.observed_site import AWAY, HELD_UP
from tests.tracing.collector import Span
from tests.tracing.conftest import ODOO_SPAN, TOKEN, Traced

STARTER, WORKER = "odoo-image-orchestrator-starter", "odoo-image-orchestrator-worker"


def only(spans: list[Span], name: str) -> Span:
    (found,) = (span for span in spans if span.name == name)
    return found


def below(spans: list[Span], parent: Span) -> list[Span]:
    return [span for span in spans if span.parent_id == parent.span_id]


async def test_the_chain_leads_from_odoo_to_odoo(traced: Traced) -> None:
    (order,) = orders(PAID, "a fox", 1)
    spans = await traced.settled(order)
    webhook = only(spans, "webhook event")
    start, run = (only(spans, f"{what}:image-generation") for what in ("StartWorkflow", "RunWorkflow"))
    generate, deliver = (only(spans, f"RunActivity:{what}") for what in ("generate-image", "deliver-callback"))
    assert [span.parent_id for span in (webhook, start, run)] == [ODOO_SPAN, webhook.span_id, start.span_id]
    assert {span.parent_id for span in (generate, deliver)} == {run.span_id}
    assert [span.service for span in (webhook, start, run, generate, deliver)] == [STARTER] * 2 + [WORKER] * 3
    (call,), (post,) = below(spans, generate), below(spans, deliver)
    assert (call.name, post.name) == ("POST", "POST")
    (callback,) = await traced.site.callbacks(order)
    assert callback["traceparent"] == f"00-{post.trace_id}-{post.span_id}-01"
    assert {span.state for span in spans} == {"odoo=1"}
    assert {span.error for span in spans} == {None}


async def test_each_attempt_has_a_span_with_its_number_and_the_class_of_its_failure(traced: Traced) -> None:
    (order,) = orders(PAID, f"a fox {HELD_UP}", 1)
    spans = await traced.settled(order)
    attempts = [span for span in spans if span.name == "RunActivity:generate-image"]
    told = sorted((span.attributes["temporalAttempt"], span.error or "") for span in attempts)
    assert told == [(1, "ProviderOverloaded"), (2, "")]
    assert {span.parent_id for span in attempts} == {only(spans, "RunWorkflow:image-generation").span_id}
    calls = sorted(span.error or "" for attempt in attempts for span in below(spans, attempt))
    assert calls == ["", "503"]


async def test_a_quick_callback_and_those_on_the_queue_each_have_theirs(traced: Traced) -> None:
    (order,) = orders(PAID, "a fox", 1, AWAY)
    spans = await traced.settled(order)
    posts = [span for span in spans if span.name == "RunActivity:deliver-callback"]
    told = Counter((span.attributes["temporalLocal"], span.attributes["temporalAttempt"], span.error) for span in posts)
    assert told == {
        (True, 1, "CallbackUndeliverable"): 1,
        (False, 1, "CallbackUndeliverable"): 1,
        (False, 2, None): 1,
    }


async def test_an_image_service_sees_traceparent_and_tracestate_but_no_baggage(traced: Traced) -> None:
    (order,) = orders(FREE, "a fox", 1)
    trace_id = await traced.post(order, baggage="user=ada")
    spans = await traced.spans(trace_id, "RunActivity:generate-image")
    (call,) = below(spans, only(spans, "RunActivity:generate-image"))
    (received,) = (one for one in traced.refusing.received if trace_id in one.headers["traceparent"])
    assert received.headers["traceparent"] == f"00-{trace_id}-{call.span_id}-01"
    assert received.headers["tracestate"] == "odoo=1"
    assert "baggage" not in received.headers


INVALID = ("nothing", f"00-{'0' * 32}-{ODOO_SPAN}-01", f"ff-{'1' * 32}-{ODOO_SPAN}-01", f"00-{'1' * 31}-{ODOO_SPAN}-01")


async def test_without_a_valid_traceparent_a_new_trace_begins_here(traced: Traced) -> None:
    asked = dict(zip(("none", *INVALID), orders(PAID, "a fox", 1 + len(INVALID)), strict=True))
    for sent, order in asked.items():
        headers = {} if sent == "none" else {"traceparent": sent, "tracestate": "odoo=1"}
        assert (await traced.site.post(order, **headers)).is_success
    await traced.site.reaches(Stage.SETTLED, *asked.values())
    begun = set()
    for sent, order in asked.items():
        (callback,) = await traced.site.callbacks(order)
        trace_id = callback["traceparent"].split("-")[1]
        spans = await traced.spans(trace_id, "CompleteWorkflow:image-generation")
        assert only(spans, "webhook event").parent_id == "", sent
        assert {span.state for span in spans} == {""}, sent
        begun.add(trace_id)
    assert len(begun) == len(asked), "each has a trace of its own"


async def test_a_trace_that_odoo_does_not_sample_goes_on_without_spans(traced: Traced) -> None:
    (quiet,), (loud,) = orders(PAID, "a fox", 1), orders(PAID, "a fox", 1)
    trace_id = await traced.post(quiet, flags="00")
    await traced.site.reaches(Stage.SETTLED, quiet)
    await traced.settled(loud)
    (callback,) = await traced.site.callbacks(quiet)
    assert callback["traceparent"].startswith(f"00-{trace_id}-")
    assert callback["traceparent"].endswith("-00")
    assert traced.collector.of(trace_id) == []


async def test_log_lines_of_both_processes_name_trace_and_span(traced: Traced) -> None:
    (order,) = orders(FREE, "a fox", 1)
    trace_id = await traced.post(order)
    await traced.site.reaches(Stage.PARKED, order)
    spans = await traced.spans(trace_id, "RunActivity:deliver-callback")
    lines = [*_lines(traced, "starter", order), *_lines(traced, "worker", order)]
    events = {str(line["event"]): line for line in lines}
    assert {"request_accepted", "attempt_gave_up", "dead_letter_parked"} <= set(events)
    assert {line["trace_id"] for line in lines} == {trace_id}
    assert events["request_accepted"]["span_id"] == only(spans, "webhook request").span_id
    assert events["attempt_gave_up"]["span_id"] == only(spans, "RunActivity:generate-image").span_id
    assert events["dead_letter_parked"]["span_id"] == only(spans, "RunWorkflow:image-generation").span_id


def _lines(traced: Traced, name: str, order: Order) -> list[dict[str, object]]:
    lines = [line for line in traced.site.log(name).splitlines() if line.startswith("{")]
    read: list[dict[str, object]] = [json.loads(line) for line in lines]
    return [line for line in read if line.get("request_id") == order.request_id]


async def test_the_history_of_a_traced_request_replays(traced: Traced) -> None:
    (order,) = orders(FREE, "a fox", 1)
    await traced.post(order)
    await traced.site.reaches(Stage.PARKED, order)
    report = await replay_live(traced.site.stack.client, f'WorkflowId = "{order.workflow_id}"')
    assert report.passed, report.failures


async def test_spans_hold_no_secret_no_prompt_no_path_and_no_text_of_others(traced: Traced) -> None:
    (good,), (bad,) = orders(PAID, "a very private fox", 1), orders(FREE, "a very private fox", 1)
    await traced.settled(good)
    await traced.spans(await traced.post(bad), "RunActivity:deliver-callback")
    everything = " ".join(span.raw for span in traced.collector.spans)
    hidden = [traced.site.local.files.read_secret(name) for name in ("webhook", "callback", "service", "api", "token")]
    for private in ("private", PAID.path, PAID.callback, TOKEN, *hidden):
        assert private not in everything
    assert set(traced.collector.tokens) == {f"Bearer {TOKEN}"}


async def test_a_worker_that_is_killed_and_replays_doubles_no_span_and_counts_nothing_twice(traced: Traced) -> None:
    (order,) = orders(FREE, "a fox", 1)
    trace_id = await traced.post(order)
    await traced.site.reaches(Stage.PARKED, order)
    before = await traced.spans(trace_id, "RunActivity:deliver-callback")
    await traced.restart_worker(order)
    await traced.redrive(order, service="flux")
    spans = await traced.spans(trace_id, "CompleteWorkflow:image-generation")
    run = only(spans, "RunWorkflow:image-generation")
    assert run in before
    assert len({span.span_id for span in spans}) == len(spans)
    assert Counter(span.name for span in spans) == {
        "webhook request": 1,
        "StartWorkflow:image-generation": 1,
        "RunWorkflow:image-generation": 1,
        "CompleteWorkflow:image-generation": 1,
        "RunActivity:generate-image": 2,
        "RunActivity:deliver-callback": 2,
        "POST": 4,
    }
    assert {span.parent_id for span in spans if span.name.startswith("RunActivity")} == {run.span_id}
    counted = await traced.scrape()
    assert counted.total("orchestrator_redrives_total") == counted.total("orchestrator_outcomes_total") == 1
    assert counted.total("orchestrator_requests_total") == counted.total("orchestrator_dead_letters_total") == 0
    await until(lambda: traced.site.callbacks(order), "Odoo was not told")
