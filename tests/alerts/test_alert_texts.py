"""What people read: messages, links and the page in the Web UI."""

from __future__ import annotations

from contracts.alert_board import Board, ChannelShown
from contracts.alert_texts import WebUi, message
from contracts.alerts import Condition, Event, Kind, Notice, Severity
from tests.alerts.looks import BEGIN, Story, letters, notice
from workflows.alert_details import render

WEB_UI = WebUi("http://127.0.0.1:8233", "default")
WHAT = (
    "1000 requests wait as dead letter with cause QuotaExhausted. The image service's quota or credit is used up. "
    "Image service: flux. Odoo database: acme."
)
QUERY = (
    "Stage%20%3D%20%22parked%22%20AND%20DeadLetterCause%20%3D%20%22QuotaExhausted%22%20AND%20"
    "ImageService%20%3D%20%22flux%22%20AND%20OdooDatabase%20%3D%20%22acme%22"
)


def opened(count: int) -> Notice:
    story = Story()
    story.look(dead_letters=letters(count))
    return Notice(event=Event.OPENED, alert=story.state.alerts[0], at=BEGIN)


def test_a_message_says_what_happened_since_when_how_many_and_what_to_do() -> None:
    said = message([opened(1000)], WEB_UI)
    assert said.title == "[warning] dead-letter QuotaExhausted/flux/acme (1000)"
    assert said.body.splitlines() == [
        "[warning] dead-letter QuotaExhausted/flux/acme (1000)",
        f"What happened: {WHAT}",
        "Since: 2027-01-15 08:00:00 UTC",
        "How many: 1000",
        "What to do: Add credit to the account or name another service, then redrive.",
        f"Look at it: http://127.0.0.1:8233/namespaces/default/workflows?query={QUERY}",
        "On the command line: orchestrator dead-letters list --cause QuotaExhausted --service flux --odoo acme",
        "Acknowledge: orchestrator alerts ack 1",
        "Reference: alert 1, opened 2027-01-15 08:00:00 UTC",
    ]


def test_the_link_of_a_service_is_its_accounts_page() -> None:
    condition = Condition(
        kind=Kind.SERVICE_DOWN, subject="flux", what="w", remedy="r", command="c", workflow_id="image-account/flux"
    )
    assert WEB_UI.link(condition) == "http://127.0.0.1:8233/namespaces/default/workflows/image-account%2Fflux"


def test_without_the_address_of_the_web_ui_there_is_no_link_but_the_command() -> None:
    body = message([opened(1)], None).body
    assert "http" not in body
    assert "On the command line: orchestrator dead-letters list" in body


def test_several_alerts_stand_in_one_message_the_worst_first() -> None:
    worst = opened(2)
    worst = worst.model_copy(update={"alert": worst.alert.model_copy(update={"severity": Severity.CRITICAL})})
    over = notice(3, event=Event.RESOLVED)
    said = message([notice(2), over, worst], None)
    assert said.title == "[critical] dead-letter QuotaExhausted/flux/acme (2) and 2 more"
    assert [line for line in said.body.splitlines() if line.startswith("[")] == [
        "[critical] dead-letter QuotaExhausted/flux/acme (2)",
        "[warning] dead-letter s2",
        "[resolved] dead-letter s3",
    ]
    assert (said.severity, said.over, message([over], None).over) == (Severity.CRITICAL, False, True)


def test_what_is_over_asks_for_nothing() -> None:
    body = message([notice(1, event=Event.RESOLVED)], None).body
    assert "over since 2027-01-15 08:00:00 UTC" in body
    assert "What to do" not in body
    assert "ack" not in body


def test_the_page_in_the_web_ui_shows_alerts_channels_and_what_happened() -> None:
    alert = opened(3).alert.model_copy(update={"acked_by": "ann `x` [a](http://b)"})
    failing = ChannelShown(name="mail", failing_since=BEGIN, error="no connection", next_at=BEGIN + 5)
    page = render(Board(alerts=(alert,), channels=(failing,), log=("first", "second"), trouble="no answer"))
    assert "**1 open alert**" in page
    assert "acknowledged by `ann 'x' [a](http://b)`" in page
    assert "**`mail` fails** since 2027-01-15 08:00:00 UTC: `no connection`, next try 2027-01-15 08:00:05 UTC" in page
    assert "**The last look has failed**: `no answer`" in page
    assert page.index("`second`") < page.index("`first`")


def test_an_empty_page_says_that_nothing_is_open() -> None:
    assert render(Board()).startswith("**No alert is open.**")
