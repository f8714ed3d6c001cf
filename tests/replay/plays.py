"""Every scenario of the workflows beside the requests, by which their histories are recorded and added to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import MappingProxyType

from temporalio.client import Client, WorkflowHistory

from contracts import names
from tests.alerts import alert_scenarios
from tests.dead_letters import batch_scenarios
from tests.replay import account_scenarios, chores

Play = Callable[[Client], Awaitable[WorkflowHistory]]
"""Plays a scenario on a server of its own, with workers of its own, and returns its history."""


def _each(
    scenarios: Mapping[str, object], played: Callable[[str, Client], Awaitable[WorkflowHistory]]
) -> dict[str, Play]:
    return {scenario: partial(played, scenario) for scenario in scenarios}


PLAYS: Mapping[str, Mapping[str, Play]] = MappingProxyType(
    {
        names.RETENTION_WORKFLOW: {"swept": chores.swept, "rehearsed": chores.rehearsed},
        names.RECONCILIATION_WORKFLOW: {"repaired": chores.repaired, "one_of_two_silent": chores.one_of_two_silent},
        names.ACCOUNT_WORKFLOW: _each(account_scenarios.SCENARIOS, account_scenarios.played),
        names.DEAD_LETTER_BATCH_WORKFLOW: _each(batch_scenarios.SCENARIOS, batch_scenarios.played),
        names.ALERTS_WORKFLOW: _each(alert_scenarios.SCENARIOS, alert_scenarios.played),
    }
)
"""The scenarios of each workflow, by name."""
