"""What is wrong, by what was observed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from contracts import names
from contracts import search_attributes as attributes
from contracts.alerts import (
    AccountFacts,
    AlertPolicy,
    Arrivals,
    Condition,
    DeadLetterGroup,
    Kind,
    LevelFacts,
    LevelPolicy,
    Observation,
    OdooFacts,
)
from contracts.errors import RULES, FailureClass
from contracts.requests import Stage

PARKED = f'{attributes.STAGE.name} = "{Stage.PARKED}"'
_DELIVERING = f'{attributes.STAGE.name} = "{Stage.DELIVERING}"'
_CAUSES = {str(cause): cause for cause in FailureClass}


def conditions(seen: Observation, arrivals: Iterable[Arrivals]) -> tuple[Condition, ...]:
    """Everything that is wrong; `arrivals` are the new dead letters within the window."""
    found = [_dead_letter(group) for group in seen.dead_letters]
    found += _rate(arrivals, seen.policy)
    for account in seen.accounts:
        found += _account(account)
    for odoo in seen.odoos:
        found += _odoo(odoo, seen.policy)
    if seen.level is not None:
        found += _level(seen.level, seen.policy.level)
    return tuple(found)


def new_dead_letters(before: Mapping[str, int] | None, groups: Iterable[DeadLetterGroup]) -> int:
    """How many were parked since the look before, at least; 0 where there was none."""
    if before is None:
        return 0
    return sum(max(0, group.count - before.get(group.subject, 0)) for group in groups)


def _dead_letter(group: DeadLetterGroup) -> Condition:
    cause = _CAUSES.get(group.cause or "")
    sentence = RULES[cause].sentence if cause else "Requests have failed."
    remedy = RULES[cause].remedy if cause else "Look at each of them, then redrive or discard."
    places = (("Image service", group.service), ("Odoo database", group.database))
    where = "".join(f" {what}: {name}." for what, name in places if name)
    terms = ((attributes.CAUSE, group.cause), (attributes.SERVICE, group.service))
    chosen = [*terms, (attributes.ODOO_DATABASE, group.database)]
    query = " AND ".join([PARKED, *(attributes.equals(key.name, value) for key, value in chosen if value)])
    options = (("--cause", group.cause), ("--service", group.service), ("--odoo", group.database))
    return Condition(
        kind=Kind.DEAD_LETTER,
        subject=group.subject,
        count=group.count,
        what=f"{_requests(group.count)} as dead letter with cause {group.cause or 'unknown'}. {sentence}{where}",
        remedy=remedy,
        query=query,
        command=" ".join(["orchestrator dead-letters list", *(f"{name} {value}" for name, value in options if value)]),
    )


def _requests(count: int) -> str:
    return "1 request waits" if count == 1 else f"{count} requests wait"


def _rate(arrivals: Iterable[Arrivals], policy: AlertPolicy) -> Iterator[Condition]:
    count = sum(each.count for each in arrivals)
    if count <= policy.dead_letters:
        return
    yield Condition(
        kind=Kind.DEAD_LETTER_RATE,
        subject="all",
        count=count,
        what=f"{count} new dead letters within {_span(policy.dead_letters_window_s)}; up to {policy.dead_letters} "
        "are expected.",
        remedy="Look at the causes: many with the same one are one fault. Repair it, then redrive them all at once.",
        query=PARKED,
        command="orchestrator dead-letters list",
    )


def _account(account: AccountFacts) -> Iterator[Condition]:
    if account.circuit_open:
        yield Condition(
            kind=Kind.SERVICE_DOWN,
            subject=account.service,
            what=f"Image service {account.service} does not serve: its circuit is open, single calls try it again.",
            remedy="Check the service's status page, its base_url and the network. Requests go to the next service "
            "of their route where there is one, others wait.",
            workflow_id=names.account_id(account.service),
            command=f"orchestrator services test {account.service}",
        )
    if account.quota_exhausted_since is not None:
        yield Condition(
            kind=Kind.QUOTA_EXHAUSTED,
            subject=account.service,
            since=account.quota_exhausted_since,
            what=f"The quota or credit of image service {account.service} is used up.",
            remedy=RULES[FailureClass.QUOTA_EXHAUSTED].remedy,
            workflow_id=names.account_id(account.service),
            command=f"orchestrator dead-letters list --cause {FailureClass.QUOTA_EXHAUSTED} "
            f"--service {account.service}",
        )


def _odoo(odoo: OdooFacts, policy: AlertPolicy) -> Iterator[Condition]:
    if odoo.failing_since is not None:
        what = f"Odoo {odoo.odoo} does not take its callbacks."
        remedy = f"{RULES[FailureClass.CALLBACK_UNDELIVERABLE].sentence} Check that Odoo is up and reachable: "
        remedy += "then they go by themselves, nothing is lost."
        count, since = odoo.waiting, odoo.failing_since
    elif odoo.backlog_age_s >= policy.callback_backlog_s:
        what = f"Callbacks to Odoo {odoo.odoo} do not get to leave: the oldest waits for {_span(odoo.backlog_age_s)}."
        remedy = "Check that a worker with this Odoo in its configuration runs, and that odoos.NAME.rate_per_second "
        remedy += "is not lower than what comes in."
        count, since = odoo.backlog, None
    else:
        return
    yield Condition(
        kind=Kind.CALLBACK_TARGET_DOWN,
        subject=odoo.odoo,
        count=max(count, 1),
        since=since,
        what=what,
        remedy=remedy,
        query=f"{_DELIVERING} AND {attributes.equals(attributes.ODOO_DATABASE.name, odoo.database)}",
        command="orchestrator limits show",
    )


def _level(level: LevelFacts, promised: LevelPolicy) -> Iterator[Condition]:
    broken = [
        f"{_share(part, whole)} of {whole} requests within {limit:g} s, promised are {share:.0%}"
        for part, whole, limit, share in (
            (level.fast, level.due_fast, promised.fast_s, promised.fast_share),
            (level.slow, level.due_slow, promised.slow_s, promised.slow_share),
        )
        if whole >= promised.minimum and part < share * whole
    ]
    if not broken:
        return
    slow = level.due_slow - level.slow
    yield Condition(
        kind=Kind.SERVICE_LEVEL,
        subject="all",
        count=max(slow, level.due_fast - level.fast),
        what=f"Images come too slowly, over {_span(promised.window_s)}: {'; '.join(broken)}.",
        remedy="Check whether a service or Odoo is slow or held back by a limit, and whether enough workers run.",
        query=f'WorkflowType = "{names.WORKFLOW}" AND ExecutionDuration > "{promised.fast_s:g}s"',
        command="orchestrator limits show",
    )


def _share(part: int, whole: int) -> str:
    # Rounded down: a promise that is just broken must not read as kept.
    return f"{int(1000 * part / whole) / 10:g} %"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"  # noqa: PLR2004 - two minutes
