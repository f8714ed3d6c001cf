"""Who is who behind a webhook: services, callbacks, branches, loops and what nobody needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from operations.n8n_import.findings import Kind
from tests.n8n_import.exports import call_back, draw, flow, has, imported, loaded, node, only_route, said, webhook

FAILED = '={{ { request_id: $("Webhook").item.json.body.request_id, status: "failed", error: $json.error } }}'


def test_a_chain_through_nodes_that_pass_on(tmp_path: Path) -> None:
    result = imported(
        flow(
            webhook(),
            node("Nothing", "noOp"),
            draw(),
            node("Wait", "wait"),
            call_back(),
            chains=("Webhook > Nothing > Draw > Wait > Callback",),
        )
    )
    assert only_route(result, tmp_path).services == ("draw",)


def test_the_error_branch_is_the_failure_callback() -> None:
    failure = call_back({"jsonBody": FAILED}, name="Failure")
    result = imported(
        flow(webhook(), draw(), call_back(), failure, chains=("Webhook > Draw > Callback", "Draw ! Failure"))
    )
    assert has(said(result, Kind.MAPPED), "Failure: the callback of a failure")
    assert not has(said(result, Kind.APPROXIMATED), "told Odoo nothing of a failure")


def test_a_failure_callback_of_its_own_url_is_said() -> None:
    failure = call_back({"jsonBody": FAILED, "url": "https://odoo.example/failed"}, name="Failure")
    result = imported(
        flow(webhook(), draw(), call_back(), failure, chains=("Webhook > Draw > Callback", "Draw ! Failure"))
    )
    assert has(said(result, Kind.NOT_MAPPED), "Failure: its own URL")


def test_a_failure_callback_behind_a_branch() -> None:
    failure = call_back({"jsonBody": FAILED}, name="Failure")
    chains = ("Webhook > Draw > If > Failure", "If > Callback")
    result = imported(flow(webhook(), draw(), node("If", "if"), call_back(), failure, chains=chains))
    assert has(said(result, Kind.MAPPED), "Failure: the callback of a failure")
    assert has(said(result, Kind.NOT_MAPPED), "If: branches are not taken over")


def test_no_failure_callback_is_said() -> None:
    assert has(said(imported(flow()), Kind.APPROXIMATED), "Callback: n8n told Odoo nothing of a failure")


def test_polling_and_downloads_are_ours(tmp_path: Path) -> None:
    poll = node("Poll", "httpRequest", {"url": "https://flux.example/status"})
    fetch = node("Fetch", "httpRequest", {"url": "={{ $json.image_url }}"})
    chains = ("Webhook > Draw > Wait > Poll > If > Wait", "If > Fetch > Callback")
    result = imported(
        flow(webhook(), draw(), node("Wait", "wait"), poll, node("If", "if"), fetch, call_back(), chains=chains)
    )
    assert only_route(result, tmp_path).services == ("draw",)
    for name in ("Poll", "Fetch"):
        assert has(said(result, Kind.NOT_MAPPED), f"{name}: a further call")


def test_several_services_stand_in_order(tmp_path: Path) -> None:
    other = draw({"url": "https://openai.example/v1/images/generations"}, name="Other")
    chains = ("Webhook > Switch > Draw > Callback", "Switch > Other > Callback")
    result = imported(flow(webhook(), node("Switch", "switch"), draw(), other, call_back(), chains=chains))
    assert only_route(result, tmp_path).services == ("draw", "other")
    assert has(said(result, Kind.APPROXIMATED), "Webhook: 2 services", "service_names")


def test_a_call_beside_the_flow_is_left_out(tmp_path: Path) -> None:
    chat = node("Chat", "httpRequest", {"method": "POST", "url": "https://chat.example/hook"})
    result = imported(
        flow(webhook(), chat, draw(), call_back(), chains=("Webhook > Chat", "Webhook > Draw > Callback"))
    )
    assert only_route(result, tmp_path).services == ("draw",)
    assert has(said(result, Kind.NOT_MAPPED), "Chat: a further call")


def test_a_look_up_before_the_service_is_left_out(tmp_path: Path) -> None:
    look = node("Look", "httpRequest", {"method": "POST", "url": "https://crm.example/find"})
    chains = ("Webhook > Look > Draw > Callback",)
    assert only_route(imported(flow(webhook(), look, draw(), call_back(), chains=chains)), tmp_path).services == (
        "draw",
    )


@pytest.mark.parametrize(
    ("nodes", "chains", "words"),
    [
        ((webhook(),), (), "calls an image service"),
        ((webhook(), draw()), ("Webhook > Draw",), "calls Odoo back"),
        ((webhook(), call_back()), ("Webhook > Callback",), "calls an image service"),
        ((webhook(), draw(disabled=True), call_back()), ("Webhook > Draw > Callback",), "calls an image service"),
    ],
    ids=["nothing", "no_callback", "no_service", "disabled_service"],
)
def test_what_is_no_flow_is_no_route(nodes: tuple[dict[str, Any], ...], chains: tuple[str, ...], words: str) -> None:
    result = imported(flow(*nodes, chains=chains))
    assert (result.routes, result.supplies) == ((), ())
    assert has(said(result, Kind.NOT_MAPPED), "Webhook:", words, "no route")


def test_disabled_nodes_let_everything_through(tmp_path: Path) -> None:
    off = node("Off", "code", {"jsCode": "x"}, disabled=True)
    result = imported(flow(webhook(), off, draw(), call_back(), chains=("Webhook > Off > Draw > Callback",)))
    assert only_route(result, tmp_path).services == ("draw",)
    assert has(said(result, Kind.NOT_MAPPED), "Off: disabled")


def test_unreached_and_missing_nodes_are_reported() -> None:
    chains = ("Webhook > Draw > Callback", "Draw > Ghost")
    result = imported(flow(webhook(), draw(), call_back(), node("Cron", "scheduleTrigger"), chains=chains))
    lines = said(result, Kind.NOT_MAPPED)
    assert has(lines, "Cron: `scheduleTrigger` is reached from no webhook")
    assert has(lines, "Ghost: a connection names this node, which is not there")


def test_equal_names_are_reported() -> None:
    result = imported(flow(webhook(), draw(), call_back(), node("Draw", "noOp")))
    assert has(said(result, Kind.NOT_MAPPED), "Draw: several nodes have this name")


def test_two_webhooks_share_service_and_odoo(tmp_path: Path) -> None:
    second = {**webhook({"path": "second"}), "name": "Second"}
    chains = ("Webhook > Draw > Callback", "Second > Draw")
    settings = loaded(imported(flow(webhook(), second, draw(), call_back(), chains=chains)), tmp_path)
    assert (list(settings.routes), list(settings.services), list(settings.odoos)) == (
        ["flow_webhook", "flow_second"],
        ["draw"],
        ["odoo"],
    )


def test_many_workflows_in_one_file(tmp_path: Path) -> None:
    errors = flow(node("Error", "errorTrigger"), name="On error", id="errFlow", chains=())
    first = flow(settings={"errorWorkflow": "errFlow", "executionTimeout": 60})
    second = flow(webhook({"path": "b"}), draw(), call_back({"url": "https://b.example/cb/callback"}))
    result = imported(first, second, errors)
    settings = loaded(result, tmp_path)
    assert (list(settings.routes), list(settings.odoos)) == (["flow", "flow_2"], ["odoo", "odoo_2"])
    assert has(said(result, Kind.SET_UP), "alerts", "`errFlow` (`On error`)")
    assert has(said(result, Kind.NOT_MAPPED), "executionTimeout")


@pytest.mark.parametrize(
    "chains",
    [
        ("Webhook > Draw > Callback > Draw",),
        ("Webhook > Draw > Webhook", "Draw > Draw > Callback"),
        ("Webhook > Draw > Callback > Webhook",),
        ("Webhook > Draw > Callback > Callback",),
    ],
)
def test_cycles_end(chains: tuple[str, ...], tmp_path: Path) -> None:
    assert only_route(imported(flow(chains=chains)), tmp_path).services == ("draw",)


def test_ten_thousand_nodes(tmp_path: Path) -> None:
    names = [f"n{number}" for number in range(10_000)]
    middle = [node(name, "noOp") for name in names]
    chain = " > ".join(["Webhook", *names, "Draw", "Callback"])
    result = imported(flow(webhook(), *middle, draw(), call_back(), chains=(chain, "n9999 > n0")))
    assert only_route(result, tmp_path).services == ("draw",)


def test_too_many_calls_are_no_flow() -> None:
    calls = [draw(name=f"d{number}") for number in range(200)]
    chains = tuple(f"Webhook > d{number} > Callback" for number in range(200))
    result = imported(flow(webhook(), *calls, call_back(), chains=chains))
    assert has(said(result, Kind.NOT_MAPPED), "Webhook: there are too many")
