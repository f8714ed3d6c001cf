"""The desk at which operators decide about a parked request: by Update, and for many at once by Signal."""

from __future__ import annotations

from abc import ABC, abstractmethod

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.decisions import Decision, Discard, Parked, Redrive, refusal
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
        description='Take a dead letter up again at the failed step. {"by": "you", "reason": "why", "edits": '
        '{"prompt": "..."}, "service": "name", "generate_again": false}',
    )
    def redrive(self, command: Redrive) -> str:
        """Redrive the parked request; the answer says what happens next."""
        return self._decide(command)

    @redrive.validator
    def _check_redrive(self, command: Redrive) -> None:
        self._check(command)

    @workflow.update(name=names.DISCARD, description='End a dead letter for good. {"by": "you", "reason": "why"}')
    def discard(self, command: Discard) -> str:
        """Discard the parked request."""
        return self._decide(command)

    @discard.validator
    def _check_discard(self, command: Discard) -> None:
        self._check(command)

    @workflow.signal(name=names.REDRIVE, description="As the Update, for many at once; void where it cannot be taken.")
    def redrive_signal(self, command: Redrive) -> None:
        """Redrive by Signal: a decision that cannot be taken changes nothing."""
        self._decide_if_possible(command)

    @workflow.signal(name=names.DISCARD, description="As the Update, for many at once; void where it cannot be taken.")
    def discard_signal(self, command: Discard) -> None:
        """Discard by Signal: a decision that cannot be taken changes nothing."""
        self._decide_if_possible(command)

    def _check(self, decision: Decision) -> None:
        reason = self._refusal(decision)
        if reason is not None:
            raise ApplicationError(reason, type="DecisionRefused", non_retryable=True)

    def _refusal(self, decision: Decision) -> str | None:
        open_parking = None if self._decision else self._parked
        return refusal(decision, open_parking, self._request, self._services)

    def _decide(self, decision: Decision) -> str:
        self._decision = decision
        step = self._parked.step if self._parked else "unknown"
        return f"{type(decision).__name__.lower()} taken at step {step}"

    def _decide_if_possible(self, decision: Decision) -> None:
        reason = self._refusal(decision)
        if reason is None:
            self._decide(decision)
        else:
            self._note(f"a signal was void: {reason}")
