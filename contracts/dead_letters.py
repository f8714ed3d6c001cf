"""Dead letters as visibility tells of them, and which of them are meant. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydantic import Field

from contracts import search_attributes as attributes
from contracts.decisions import Decision, Redrive, Step, may_be_paid, pays_by_the_way
from contracts.errors import UNPAID
from contracts.failure_rules import RULES
from contracts.model import Frozen
from contracts.names import WORKFLOW
from contracts.requests import Stage
from contracts.taxonomy import FailureClass

MOST_NAMED = 200
"""Requests that one filter may name: the visibility query holds them all."""


class DeadLetter(Frozen):
    """One parked request."""

    request_id: str
    workflow_id: str
    run_id: str
    route: str
    database: str | None = None
    user: str | None = None
    campaign: str | None = None
    service: str | None = None
    cause: str | None = None
    code: str | None = None
    parking: int = 0
    """Which parking of the request this is; 0 where the memo does not tell."""
    step: Step | None = None
    since: datetime | None = None
    """When it was parked."""
    message: str | None = None
    unpaid: bool | None = None
    """As in `Failure`."""

    @property
    def failure(self) -> FailureClass | None:
        """The cause as a class of the taxonomy; None where this version does not know it."""
        return FailureClass(self.cause) if self.cause in set(FailureClass) else None

    @property
    def may_be_paid(self) -> bool:
        """Whether an image may have been made and billed that nobody has."""
        return may_be_paid(self.failure, unpaid=self.unpaid)


class LetterFilter(Frozen):
    """Which dead letters are meant; None or () = any. All that is set must hold."""

    request_ids: tuple[str, ...] = Field(default=(), max_length=MOST_NAMED)
    route: str | None = None
    service: str | None = None
    cause: str | None = None
    code: str | None = None
    database: str | None = None
    user: str | None = None
    campaign: str | None = None
    step: Step | None = None
    parked_before: datetime | None = None
    parked_after: datetime | None = None

    @property
    def chooses_all(self) -> bool:
        """Whether nothing is left out."""
        return self == LetterFilter()

    def query(self) -> str:
        """The visibility query; what it cannot tell, `takes` does."""
        wanted = (
            (attributes.STAGE, Stage.PARKED.value),
            (attributes.ROUTE, self.route),
            (attributes.SERVICE, self.service),
            (attributes.CAUSE, self.cause),
            (attributes.FAILURE_CODE, self.code),
            (attributes.ODOO_DATABASE, self.database),
            (attributes.ODOO_USER, self.user),
            (attributes.CAMPAIGN, self.campaign),
        )
        terms = [attributes.equals("WorkflowType", WORKFLOW), 'ExecutionStatus = "Running"']
        terms += [attributes.equals(key.name, attributes.keyword(value)) for key, value in wanted if value is not None]
        if self.request_ids:
            named = ", ".join(attributes.quoted(attributes.keyword(request_id)) for request_id in self.request_ids)
            terms.append(f"{attributes.REQUEST_ID.name} IN ({named})")
        if self.parked_before is not None:
            # Nothing is parked before it has started.
            terms.append(f'StartTime < "{self.parked_before.isoformat()}"')
        return " AND ".join(terms)

    def takes(self, letter: DeadLetter) -> bool:
        """Whether a letter that the query found is meant."""
        if self.step not in (None, letter.step):
            return False
        if self.parked_before is not None and (letter.since is None or letter.since >= self.parked_before):
            return False
        return self.parked_after is None or (letter.since is not None and letter.since >= self.parked_after)

    def words(self) -> str:
        """What it chooses, for people."""
        named = self.model_dump(mode="json", exclude={"request_ids"})
        parts = [f"{name.replace('_', ' ')} {value}" for name, value in named.items()]
        parts += [f"{len(self.request_ids)} request id(s)"] if self.request_ids else []
        return ", ".join(parts) or "everything that is parked"


def is_paid_twice(letter: DeadLetter, decision: Decision) -> bool:
    """Whether a decision is refused since it would pay beside a call that may be paid for, and does not say so."""
    return letter.step != "deliver" and pays_by_the_way(decision) and letter.may_be_paid


def may_pay(letter: DeadLetter, decision: Decision) -> bool:
    """Whether a decision leads to a call to an image service that is paid for.

    A plain redrive only calls where it is proved that nothing was made; else it looks for what was.
    """
    if not isinstance(decision, Redrive) or letter.step == "deliver" or is_paid_twice(letter, decision):
        return False
    return decision.pays_anew or letter.failure in NOT_PAID


NOT_PAID = UNPAID - {FailureClass.INVALID_REQUEST, FailureClass.CONTENT_REJECTED} | {FailureClass.INTERNAL}
"""Dead letters after which a plain redrive calls the service; after an internal failure it may."""

NEEDS_A_CHANGE = frozenset(
    {
        FailureClass.OUTCOME_UNKNOWN,
        FailureClass.JOB_LOST,
        FailureClass.GENERATION_FAILED,
        FailureClass.ARTIFACT_EXPIRED,
        FailureClass.PROTOCOL_ERROR,
    }
)
"""Causes after which a plain redrive finds no image and fails again, without paying."""


def fails_again(letters: Iterable[DeadLetter], decision: Decision) -> int:
    """How many of them a plain redrive cannot help."""
    if not isinstance(decision, Redrive) or decision.pays_anew:
        return 0
    return sum(letter.failure in NEEDS_A_CHANGE for letter in letters)


def remedy(letter: DeadLetter) -> str:
    """What to do, in one sentence."""
    return RULES[letter.failure].remedy if letter.failure else "Read its page in the Temporal Web UI, then decide."
