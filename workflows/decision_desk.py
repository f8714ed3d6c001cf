"""The desk at which operators decide about a parked request: by Update, and for many at once by Signal."""

from __future__ import annotations

from abc import ABC, abstractmethod

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.decision_forms import DecisionT, FormError, Typed, read_decision
from contracts.decisions import Case, Decision, Discard, Parked, Redrive, refusal, unsaid_payment
from contracts.requests import ImageRequest


class DecisionDesk(ABC):
    """What a workflow that parks inherits. The newest decision that can be taken is in `_decision`."""

    def __init__(self, request: ImageRequest | None, services: tuple[str, ...]) -> None:
        """Open the desk for a request that may be redriven to one of `services`."""
        self._request = request
        self._services = services
        self._parked: Parked | None = None
        self._decision: Decision | None = None

    @abstractmethod
    def _note(self, line: str) -> None:
        """Add a line to the request's own log."""

    @workflow.update(
        name=names.REDRIVE,
        description='Take a dead letter up again at the failed step. {"by": "you", "reason": "why"}; optionally '
        '"service": "name" for another service, "generate_again": true to pay again where it may have been paid.',
    )
    def redrive(self, data: Typed = None) -> str:
        """Redrive the parked request; the answer says what happens next. `data` is a `Redrive`."""
        return self._decide(Redrive.model_validate(data))

    @redrive.validator
    def _check_redrive(self, data: Typed = None) -> None:
        self._check_payment(self._check(Redrive, data))

    @workflow.update(
        name=names.REDRIVE_WITH_EDITS,
        description="Make the image of a dead letter again with other values; this may be paid for. "
        '{"by": "you", "reason": "why", "edits": {"prompt": "...", "width": 1024}}',
    )
    def redrive_with_edits(self, data: Typed = None) -> str:
        """Redrive the parked request with edits, which must be there. `data` is a `Redrive`."""
        return self._decide(Redrive.model_validate(data))

    @redrive_with_edits.validator
    def _check_redrive_with_edits(self, data: Typed = None) -> None:
        redrive = self._check(Redrive, data)
        if not redrive.edits:
            raise _refused('edits: name the fields to change, as {"prompt": "..."}')
        self._check_payment(redrive)

    @workflow.update(name=names.DISCARD, description='End a dead letter for good. {"by": "you", "reason": "why"}')
    def discard(self, data: Typed = None) -> str:
        """Discard the parked request. `data` is a `Discard`."""
        return self._decide(Discard.model_validate(data))

    @discard.validator
    def _check_discard(self, data: Typed = None) -> None:
        self._check(Discard, data)

    @workflow.signal(name=names.REDRIVE, description="As the Update, for many at once; void where it cannot be taken.")
    def redrive_signal(self, data: Typed = None) -> None:
        """Redrive by Signal: a decision that cannot be taken changes nothing."""
        self._decide_if_possible(Redrive, data)

    @workflow.signal(name=names.DISCARD, description="As the Update, for many at once; void where it cannot be taken.")
    def discard_signal(self, data: Typed = None) -> None:
        """Discard by Signal: a decision that cannot be taken changes nothing."""
        self._decide_if_possible(Discard, data)

    @workflow.query(name=names.CASE, description="All that a decision about the request depends on.")
    def case(self) -> Case:
        """The parking that is open for a decision, the request as it is now, the services to choose from."""
        open_parking = None if self._decision else self._parked
        return Case(parked=open_parking, request=self._request, services=self._services)

    def _check(self, kind: type[DecisionT], data: Typed) -> DecisionT:
        try:
            decision = read_decision(kind, data)
        except FormError as error:
            raise _refused(str(error)) from None
        open_parking = None if self._decision else self._parked
        reason = refusal(decision, open_parking, self._request, self._services)
        if reason is not None:
            raise _refused(reason)
        return decision

    def _check_payment(self, redrive: Redrive) -> None:
        reason = unsaid_payment(redrive, self._parked)
        if reason is not None:
            raise _refused(reason)

    def _decide(self, decision: Decision) -> str:
        self._decision = decision
        step = self._parked.step if self._parked else "unknown"
        return f"{type(decision).__name__.lower()} taken at step {step}"

    def _decide_if_possible(self, kind: type[DecisionT], data: Typed) -> None:
        try:
            decision = self._check(kind, data)
            reason = unsaid_payment(decision, self._parked)
            if reason is not None and workflow.patched("2026-11-signals-say-payments"):
                raise _refused(reason)
            self._decide(decision)
        except ApplicationError as refused:
            self._note(f"a signal was void: {refused.message}")


def _refused(reason: str) -> ApplicationError:
    return ApplicationError(reason, type="DecisionRefused", non_retryable=True)
