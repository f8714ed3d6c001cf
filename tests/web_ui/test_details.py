"""What a request says of itself, and what its Updates refuse, without a browser."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import JsonValue
from temporalio.client import Client, WorkflowUpdateFailedError

from contracts import names
from contracts.decisions import Discard, Parked, Status
from contracts.errors import Failure, FailureClass, make_failure
from contracts.policies import Policies, StepPolicy
from contracts.requests import (
    Cost,
    GeneratedImages,
    ImageGenerationInput,
    ImageGenerationResult,
    ImageRequest,
    Outcome,
    RequestReference,
    Stage,
    StoredImage,
)
from operations.saved_views import DEV_UI, VIEWS, Sought, link, query_for, set_up_script
from runtime.embedded import EmbeddedServer
from runtime.updates import execute_update
from tests.operations.commandline import CommandLine, configured
from tests.workflows.harness import Doubles, bench, failed, parked
from workflows.details import render

POLICY = StepPolicy(attempts=5, initial_s=1, maximum_s=60, timeout_s=60, deadline_s=5400)
IMAGE = StoredImage(sha256="ab" * 32, media_type="image/png", size=1, width=64, height=64)
ORDER = ImageGenerationInput(
    reference=RequestReference(request_id="one", dialect="event", correlation_id="one"),
    route="event",
    odoo="main",
    service="flux",
    request=ImageRequest(prompt="a secret fox", user_id="7", campaign_id="spring"),
    store_key="00" * 32,
    services=("flux", "openai"),
    policies=Policies(generate=POLICY, deliver=POLICY, park_s=86_400, inline_limit=1, url_ttl_s=1),
    traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
    failover=("openai",),
    leased=("flux",),
)
SINCE = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def said(**status: Any) -> str:
    known = {"request_id": "one", "stage": Stage.GENERATING, "service": "flux", "generation": 1, **status}
    return render(ORDER, Status(**known))


def dead(step: str, failure: Failure) -> str:
    why = Parked.model_validate({"parking": 1, "step": step, "failure": failure, "since": SINCE})
    return said(stage=Stage.PARKED, parked=why)


def test_a_user_who_is_no_number_is_not_named() -> None:
    asked = ORDER.model_copy(update={"request": ImageRequest(prompt="a fox", user_id="ann@example.com")})
    text = render(asked, Status(request_id="one", stage=Stage.GENERATING, service="flux", generation=1))
    assert ("a user without a number" in text, "ann" in text) == (True, False)


def test_a_request_at_work_says_where_its_attempts_stand() -> None:
    text = said(log=("accepted",))
    for words in (
        "user `7`, campaign `spring`",
        "waits for one first, see workflow `image-account/flux`",
        "becomes a dead letter after 5 failures or 1.5 h of trying",
        "asked in turn: `openai`",
        "**Pending Activities**",
        "- `accepted`",
    ):
        assert words in text
    assert "secret fox" not in text


def test_a_delivery_says_when_it_gives_up() -> None:
    text = said(stage=Stage.DELIVERING, generation=2)
    assert "being posted to Odoo `main`" in text
    assert "after 5 failures or 1.5 h" in text
    assert "generation 2" in text
    assert "asked in turn" not in text


def test_a_dead_letter_says_what_can_be_done_and_until_when() -> None:
    text = dead("generate", make_failure(FailureClass.QUOTA_EXHAUSTED, "no `credit`", service="flux", unpaid=True))
    for words in ("Nothing was made", "`no 'credit'`", "Decide until 2026-11-24 12:00 UTC"):
        assert words in text
    for update in (
        "**redrive** tries again",
        "another service (`flux`, `openai`)",
        "**redrive-with-edits**",
        "**discard**",
    ):
        assert update in text


@pytest.mark.parametrize(("failure", "mentions"), [(FailureClass.OUTCOME_UNKNOWN, 3), (FailureClass.CONNECT_FAILED, 1)])
def test_what_may_be_paid_for_is_paid_again_in_so_many_words_only(failure: FailureClass, mentions: int) -> None:
    assert dead("generate", make_failure(failure, "no answer")).count('"generate_again": true') == mentions


def test_a_lost_callback_offers_neither_edits_nor_services() -> None:
    text = dead("deliver", make_failure(FailureClass.CALLBACK_REFUSED, "HTTP 403"))
    assert "**redrive** tries again" in text
    assert "redrive-with-edits" not in text
    assert "generate_again" not in text


def test_an_end_says_who_made_it_and_what_it_cost() -> None:
    cost = Cost(amount="0.04", currency="USD", reported=False)  # type: ignore[arg-type]
    made = GeneratedImages(service="openai", model="m", images=(IMAGE,), cost=cost, tried=("flux",))
    result = ImageGenerationResult(outcome=Outcome.COMPLETED, generated=made)
    text = said(stage=Stage.SETTLED, result=result)
    assert "Made by `openai`, model `m`, after `flux` could not" in text
    assert "It cost 0.04 `USD` (by the configured price)" in text
    assert "What to do" not in text


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_end_has_its_words(outcome: Outcome) -> None:
    failure = make_failure(FailureClass.CONTENT_REJECTED, "no") if outcome is Outcome.REJECTED else None
    text = said(stage=Stage.SETTLED, result=ImageGenerationResult(outcome=outcome, failure=failure))
    assert str(outcome) in text.lower()
    assert ("ContentRejected" in text) == (outcome is Outcome.REJECTED)


REFUSED: dict[str, tuple[str, JsonValue, str]] = {
    "no_data": (names.REDRIVE, None, "the data must be a JSON object"),
    "text": (names.DISCARD, "ada", "the data must be a JSON object"),
    "no_reason": (names.REDRIVE, {"by": "ada"}, "reason: Field required"),
    "misspelt": (names.REDRIVE, {"by": "a", "reason": "r", "editz": {}}, "no such field: editz; possible: by, reason"),
    "no_edits": (names.REDRIVE_WITH_EDITS, {"by": "a", "reason": "r"}, "edits: name the fields to change"),
    "bad_edits": (names.REDRIVE_WITH_EDITS, {"by": "a", "reason": "r", "edits": {"width": "wide"}}, "width: Input"),
    "no_such_edit": (names.REDRIVE_WITH_EDITS, {"by": "a", "reason": "r", "edits": {"promt": "x"}}, "no such field"),
    "edits_of_a_discard": (names.DISCARD, {"by": "a", "reason": "r", "edits": {}}, "no such field: edits"),
}


async def test_an_update_that_cannot_be_is_refused_in_words(temporal_client: Client) -> None:
    doubles = Doubles(generate=[failed(FailureClass.PROVIDER_INTERNAL)])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start()
        await parked(handle)
        for update, data, words in REFUSED.values():
            with pytest.raises(WorkflowUpdateFailedError) as raised:
                await handle.execute_update(update, data)
            assert words in str(raised.value.cause)
        await handle.signal(names.REDRIVE, {"by": "ada"})
        answer = await execute_update(handle, names.DISCARD, [Discard(by="ada", reason="end of test")])
        assert answer == "discard taken at step generate"
        await handle.result()
        assert any("a signal was void: reason: Field required" in line for line in (await _log(handle)))
        assert len(doubles.generated) == 1


async def _log(handle: Any) -> tuple[str, ...]:
    status: Status = await handle.query(names.STATUS, result_type=Status)
    return status.log


async def test_an_edited_redrive_makes_the_image_anew(temporal_client: Client) -> None:
    doubles = Doubles(generate=[failed(FailureClass.PROVIDER_INTERNAL), *Doubles().generate])
    async with bench(temporal_client, doubles) as here:
        handle = await here.start()
        await parked(handle)
        data = {"by": "ada", "reason": "other wording", "edits": {"prompt": "a boat"}}
        await handle.execute_update(names.REDRIVE_WITH_EDITS, data)
        assert (await handle.result()).outcome is Outcome.COMPLETED
    assert [call.request.prompt for call in doubles.generated][-1] == "a boat"


async def test_the_server_takes_every_query(temporal_client: Client) -> None:
    everything = Sought("a\"b\\'c", "d", "7", "s", "flux", "parked", "X", SINCE)
    for query in (*(view.query for view in VIEWS), query_for(everything)):
        assert (await temporal_client.count_workflows(query)).count >= 0


def test_a_link_carries_its_query_whole() -> None:
    parts = urlsplit(link("http://ui/", "a/b", 'Stage = "parked" AND x = "&"', save_as="mine"))
    assert (parts.netloc, parts.path) == ("ui", "/namespaces/a%2Fb/workflows")
    assert parse_qs(parts.query) == {"query": ['Stage = "parked" AND x = "&"'], "savedQuery": ["mine"]}


def test_links_lead_to_the_address_at_which_the_views_are_set_up(tmp_path: Path) -> None:
    assert EmbeddedServer(tmp_path, 7233, 8233).ui_url == DEV_UI


def test_the_page_on_the_web_ui_names_every_view_with_its_query() -> None:
    page = (Path(__file__).parents[2] / "docs" / "web-ui.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (.+) \| `(.+)` \|$", page.partition("## Saved views")[2], re.MULTILINE)[: len(VIEWS)] == [
        (view.name, view.query) for view in VIEWS
    ]


def test_the_script_can_be_a_bookmark() -> None:
    script = set_up_script("it's")
    assert script.startswith("javascript:")
    assert "%" not in script, "browsers decode the addresses of bookmarks"
    assert "\n" not in script
    assert json.dumps("it's") in script


@pytest.fixture
def line(tmp_path: Any) -> CommandLine:
    return configured(tmp_path)


async def test_the_command_prints_links(line: CommandLine) -> None:
    ran = await line.call("web-ui", "--user", "7", "--older-than", "2h", "--url", "http://ui", "--json")
    (view,) = ran.document["views"]
    assert view["query"].startswith('OdooUser = "7" AND StartTime < "')
    assert view["url"].startswith("http://ui/namespaces/default/workflows?query=OdooUser%20%3D%20%227%22")
    wrong = await line.call("web-ui", "--older-than", "soon")
    assert (wrong.code, wrong.out, len(wrong.err.splitlines())) == (2, "", 1)
