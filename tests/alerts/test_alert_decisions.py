"""Which alerts open, go on, escalate and end: decided without clock or I/O."""

from __future__ import annotations

import pytest

from contracts.alert_outbox import DAY_S, MOST_WAITING, failed, next_due, next_message, post, refreshed, sent
from contracts.alerting import acknowledged, observed, refusal
from contracts.alerts import (
    LOG_LIMIT,
    AccountFacts,
    Ack,
    AlertsState,
    ChannelPolicy,
    ChannelState,
    DeadLetterGroup,
    Event,
    Kind,
    LevelFacts,
    Notice,
    Observation,
    OdooFacts,
    Severity,
)
from tests.alerts.looks import BEGIN, OPS, PAGER, Story, letters, notice

DOWN = (AccountFacts(service="flux", circuit_open=True),)


def kinds(story: Story) -> list[str]:
    return [str(alert.condition.kind) for alert in story.state.alerts]


def test_a_thousand_equal_failures_are_one_message_with_their_count() -> None:
    story = Story(group_s=30)
    assert story.looks([3, 400, 1000, 1000, 1000]) == [("ops", Event.OPENED, 1000)]
    assert len(story.state.alerts) == 1


def test_failures_that_differ_in_cause_service_or_odoo_are_alerts_of_their_own() -> None:
    groups = (
        *letters(5),
        *letters(2, cause="JobLost"),
        *letters(1, service="gpu"),
        DeadLetterGroup(cause="QuotaExhausted", service="flux", database="other", count=7),
    )
    assert sorted(count for _, _, count in Story().look(dead_letters=groups)) == [1, 2, 5, 7]


def test_what_is_gone_before_the_first_message_is_told_to_nobody() -> None:
    story = Story(group_s=30)
    assert story.looks([5, 0, 0, 0, 0]) == []
    assert story.state.alerts == ()


def test_it_is_told_again_only_after_the_set_time_and_never_once_acknowledged() -> None:
    story = Story(repeat_s=100)
    assert story.looks([1, 2, 3], every_s=40) == [("ops", Event.OPENED, 1)]
    assert story.looks([4, 5], every_s=40) == [("ops", Event.REPEATED, 4)]
    story.state, _ = acknowledged(story.state, Ack(by="ann", alert=1), story.now)
    assert story.looks([6, 7, 8, 9], every_s=400) == []


def test_it_is_over_once_it_has_been_gone_for_the_set_time() -> None:
    story = Story(settle_s=60)
    assert story.looks([2, 0, 0, 2, 0, 0, 0]) == [("ops", Event.OPENED, 2)]
    assert story.looks([0, 0]) == [("ops", Event.RESOLVED, 2)]
    assert story.looks([0, 0]) == []


def test_an_acknowledged_alert_is_told_to_be_over_and_comes_back_as_a_new_one() -> None:
    story = Story()
    story.looks([1])
    story.state, numbers = acknowledged(story.state, Ack(by="ann"), story.now)
    assert numbers == (1,)
    assert story.looks([0, 1]) == [("ops", Event.RESOLVED, 1), ("ops", Event.OPENED, 1)]
    assert [alert.number for alert in story.state.alerts] == [2]


def test_only_what_nobody_acknowledges_goes_to_the_channels_for_escalation_and_only_once() -> None:
    story = Story(escalate_s=60, channels=(OPS, PAGER))
    assert story.looks([1, 1, 1], every_s=20) == [("ops", Event.OPENED, 1)]
    assert story.looks([1, 1, 1], every_s=20) == [("pager", Event.ESCALATED, 1)]
    assert story.looks([0]) == [("ops", Event.RESOLVED, 1), ("pager", Event.RESOLVED, 1)]
    story.looks([1])
    story.state, _ = acknowledged(story.state, Ack(by="ann"), story.now)
    assert story.looks([1, 1, 1], every_s=60) == []


def test_a_channel_is_told_its_kinds_from_its_severity_on() -> None:
    channels = (
        ChannelPolicy(name="bad", severity=Severity.CRITICAL),
        ChannelPolicy(name="services", kinds=(Kind.SERVICE_DOWN,)),
        ChannelPolicy(name="all"),
    )
    story = Story(channels=channels)
    found = story.look(dead_letters=letters(1, "JobLost"), accounts=DOWN)
    assert sorted(name for name, _, _ in found) == ["all", "all", "services"]
    quota = story.look(accounts=(AccountFacts(service="flux", quota_exhausted_since=BEGIN),))
    assert ("bad", Event.OPENED, 1) in quota


def test_more_new_dead_letters_than_are_expected_are_an_alert_of_their_own() -> None:
    story = Story(dead_letters=10, dead_letters_window_s=60)
    story.looks([100])
    assert kinds(story) == ["dead-letter"], "what lay there before is not new"
    story.looks([104, 110])
    assert kinds(story) == ["dead-letter"]
    story.looks([111])
    assert kinds(story) == ["dead-letter", "dead-letter-rate"]
    assert story.state.alerts[1].condition.count == 11
    story.looks([111] * 6)
    assert kinds(story) == ["dead-letter"], "the window has gone by"


def test_redriven_ones_do_not_hide_new_ones_of_another_cause() -> None:
    story = Story(dead_letters=10)
    story.look(dead_letters=letters(50))
    story.look(15, dead_letters=letters(11, "JobLost"))
    assert "dead-letter-rate" in kinds(story)


def test_services_and_odoos_that_are_down_are_told_with_what_to_do() -> None:
    story = Story()
    odoos = (OdooFacts(odoo="main", database="acme", waiting=12, failing_since=BEGIN - 300),)
    story.look(accounts=(*DOWN, AccountFacts(service="gpu", quota_exhausted_since=BEGIN - 60)), odoos=odoos)
    down, quota, odoo = story.state.alerts
    assert (down.condition.kind, down.condition.workflow_id) == (Kind.SERVICE_DOWN, "image-account/flux")
    assert (quota.condition.kind, quota.since, quota.severity) == (Kind.QUOTA_EXHAUSTED, BEGIN - 60, Severity.CRITICAL)
    assert (odoo.condition.kind, odoo.condition.count, odoo.since) == (Kind.CALLBACK_TARGET_DOWN, 12, BEGIN - 300)
    assert all(alert.condition.remedy and alert.condition.command for alert in story.state.alerts)


@pytest.mark.parametrize(("age_s", "opens"), [(899.0, False), (900.0, True)])
def test_callbacks_that_do_not_get_to_leave_are_told(age_s: float, opens: bool) -> None:
    story = Story()
    story.look(odoos=(OdooFacts(odoo="main", database="acme", backlog=4, backlog_age_s=age_s),))
    assert bool(story.state.alerts) == opens


@pytest.mark.parametrize(
    ("fast", "slow", "due", "broken"),
    [
        (90, 95, 100, ""),
        (89, 95, 100, "89 % of 100 requests within 20 s"),
        (90, 94, 100, "94 % of 100 requests within 30 s"),
        (899, 950, 1000, "89.9 % of 1000 requests within 20 s"),
        (0, 0, 19, ""),
        (0, 0, 20, "0 % of 20 requests within 20 s"),
    ],
)
def test_the_service_level_is_broken_below_its_shares(fast: int, slow: int, due: int, broken: str) -> None:
    story = Story()
    story.look(level=LevelFacts(due_fast=due, fast=fast, due_slow=due, slow=slow))
    told = [alert.condition.what for alert in story.state.alerts]
    assert len(told) == bool(broken)
    assert all(broken in line for line in told)


def test_a_channel_that_is_removed_takes_its_messages_along_and_a_new_one_is_told_what_comes() -> None:
    state = observed(AlertsState(), Observation(policy=Story().policy, dead_letters=letters(1)), BEGIN)
    assert [len(channel.pending) for channel in state.channels] == [1]
    other = Story(channels=(ChannelPolicy(name="new"),)).policy
    state = observed(state, Observation(policy=other, dead_letters=letters(1)), BEGIN + 15)
    assert [(channel.name, channel.pending) for channel in state.channels] == [("new", ())]


def test_only_what_is_open_can_be_acknowledged_and_the_first_to_do_so_counts() -> None:
    story = Story()
    assert refusal(story.state, Ack(by="ann")) == "no alert is open: there is nothing to acknowledge"
    story.looks([1])
    assert refusal(story.state, Ack(by="ann", alert=7)) == "alert 7 is not open; open: 1"
    assert refusal(story.state, Ack(by="ann", alert=1)) is None
    story.state, first = acknowledged(story.state, Ack(by="ann", alert=1, reason="on it"), story.now)
    story.state, second = acknowledged(story.state, Ack(by="bob", alert=1), story.now)
    assert (first, second, story.state.alerts[0].acked_by) == ((1,), (), "ann")
    assert "acknowledged by ann: on it" in story.state.log[-1]


def test_the_log_stays_short() -> None:
    story = Story()
    story.looks([1, 0] * LOG_LIMIT)
    assert len(story.state.log) == LOG_LIMIT


# --- what waits for a channel ----------------------------------------------------------------------------------------


def waiting(*notices: Notice) -> tuple[ChannelState, ...]:
    channels: tuple[ChannelState, ...] = (ChannelState(name="ops"),)
    for each in notices:
        channels = post(channels, each, ["ops"])
    return channels


def test_a_channel_that_was_away_hears_the_newest_of_each_alert_with_todays_numbers() -> None:
    channels = waiting(notice(1), notice(2), notice(1, BEGIN + 60, Event.RESOLVED))
    assert [(each.alert.number, each.event) for each in channels[0].pending] == [(2, "opened"), (1, "resolved")]
    (channel,) = refreshed(channels, [notice(2, count=1000).alert])
    assert channel.pending[0].alert.condition.count == 1000


def test_a_channel_that_is_away_keeps_a_bounded_number_and_rather_what_still_is_so() -> None:
    over = [notice(number, event=Event.RESOLVED) for number in range(3)]
    still = [notice(number) for number in range(3, 3 + MOST_WAITING)]
    (channel,) = waiting(*over, *still, notice(3, BEGIN + 60, Event.RESOLVED))
    assert [each.alert.number for each in channel.pending] == [*range(4, 3 + MOST_WAITING), 3]
    (channel,) = waiting(*still, *[notice(number) for number in range(1000, 1002)])
    assert [each.alert.number for each in channel.pending] == [*range(5, 3 + MOST_WAITING), 1000, 1001]


def test_a_failing_channel_is_tried_ever_more_rarely_and_for_a_day() -> None:
    (channel,) = waiting(notice(1))
    waits, now = [], BEGIN
    while channel.pending:
        assert next_message(channel, now) == channel.pending
        channel = failed(channel, "it is down", now)
        assert next_message(channel, now) == ()
        waits.append(channel.next_at - now)
        now = channel.next_at
    assert waits[:8] == [5, 10, 20, 40, 80, 160, 300, 300]
    assert BEGIN + DAY_S <= now <= BEGIN + DAY_S + 600
    assert (channel.failing_since, channel.error) == (BEGIN, "it is down")


def test_what_comes_while_a_message_is_on_its_way_is_not_lost_with_it() -> None:
    (channel,) = waiting(notice(1), notice(2))
    on_its_way = next_message(channel, BEGIN)
    channels = post((failed(channel, "down", BEGIN - 100),), notice(1, BEGIN + 1, Event.RESOLVED), ["ops"])
    after = sent(channels[0], on_its_way, BEGIN + 2)
    assert [(each.alert.number, each.event) for each in after.pending] == [(1, "resolved")]
    assert (after.failing_since, after.attempts, after.sent_at) == (None, 0, BEGIN + 2)


def test_the_next_try_is_that_of_the_first_channel_which_is_not_busy() -> None:
    (first,) = waiting(notice(1))
    second = failed(first, "down", BEGIN).model_copy(update={"name": "hook"})
    assert next_due((first, second), busy=()) == 0
    assert next_due((first, second), busy=("ops",)) == BEGIN + 5
    assert next_due((ChannelState(name="ops"),), busy=()) is None
