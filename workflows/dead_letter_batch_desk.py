"""The desk at which operators pause, resume and cancel a batch, and what the batch says of itself."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from contracts.dead_letter_batches import (
    CANCEL,
    LOG_LIMIT,
    MEMO_BATCH,
    MOST_TOLD,
    PAUSE,
    PROGRESS,
    RESUME,
    BatchReport,
    BatchState,
    Outcome,
    Told,
    report_of,
)
from contracts.dead_letter_orders import BatchCommand
from workflows.dead_letter_batch_details import render


class BatchDesk:
    """What the workflow of a batch inherits: its state, and those who may change its course."""

    def __init__(self, state: BatchState) -> None:
        """Open the desk."""
        self._state = state
        self._over = False

    @workflow.update(name=PAUSE, description='Decide no further for now. {"by": "you", "reason": "why"}')
    def pause(self, command: BatchCommand) -> str:
        """Pause; outcomes are still watched."""
        self._pause(f"by {command.by}: {command.reason}")
        return "paused"

    @pause.validator
    def _check_pause(self, command: BatchCommand) -> None:  # noqa: ARG002 - as the Update
        _refuse(self._ending() or ("the batch is paused already" if self._state.paused else None))

    @workflow.update(name=RESUME, description='Go on; earlier failures count no more. {"by": "you", "reason": "why"}')
    def resume(self, command: BatchCommand) -> str:
        """Go on; only outcomes from here on count for the error share."""
        self._change(paused=None, before=self._state.counts)
        self._note(f"resumed by {command.by}: {command.reason}")
        return "resumed"

    @resume.validator
    def _check_resume(self, command: BatchCommand) -> None:  # noqa: ARG002 - as the Update
        _refuse(self._ending() or (None if self._state.paused else "the batch is not paused"))

    @workflow.update(name=CANCEL, description='End; what is decided goes on by itself. {"by": "you", "reason": "why"}')
    def cancel(self, command: BatchCommand) -> str:
        """Decide no further for good."""
        self._cancel(command)
        return "cancelled"

    @cancel.validator
    def _check_cancel(self, command: BatchCommand) -> None:  # noqa: ARG002 - as the Update
        _refuse(self._ending())

    @workflow.signal(name=PAUSE, description="As the Update, for when no worker answers.")
    def pause_signal(self, command: BatchCommand) -> None:
        """Pause by Signal; void where it is paused or ends already."""
        if self._ending() is None and self._state.paused is None:
            self._pause(f"by {command.by}: {command.reason}")

    @workflow.signal(name=CANCEL, description="As the Update, for when no worker answers.")
    def cancel_signal(self, command: BatchCommand) -> None:
        """Cancel by Signal; void where it ends already."""
        if self._ending() is None:
            self._cancel(command)

    @workflow.query(name=PROGRESS, description="Where the batch stands, and what happened so far.")
    def progress(self) -> BatchReport:
        """Where the batch stands."""
        return report_of(self._state)

    def _ending(self) -> str | None:
        if self._state.cancelled is not None:
            return "the batch is cancelled already"
        return "the batch has ended" if self._over else None

    def _pause(self, why: str) -> None:
        self._change(paused=why)
        self._note(f"paused: {why}")
        self._publish()

    def _cancel(self, command: BatchCommand) -> None:
        self._change(cancelled=f"by {command.by}: {command.reason}", paused=None)
        self._note(f"cancelled by {command.by}: {command.reason}")

    # --- what is told -------------------------------------------------------------------------------------------

    def _end(self, outcome: Outcome) -> BatchReport:
        self._note(f"ended: {outcome}")
        report = report_of(self._state, outcome)
        workflow.set_current_details(render(report))
        workflow.upsert_memo({MEMO_BATCH: report_of(self._state, outcome, with_log=False).model_dump(mode="json")})
        return report

    def _publish(self) -> None:
        """Tell those who ask without a worker."""
        workflow.upsert_memo({MEMO_BATCH: report_of(self._state, with_log=False).model_dump(mode="json")})

    def _tell(self, told: tuple[Told, ...]) -> None:
        self._change(told=(*self._state.told, *told)[:MOST_TOLD])

    def _note(self, line: str) -> None:
        log = (*self._state.log, f"{workflow.now():%Y-%m-%d %H:%M:%S} {line}")[-LOG_LIMIT:]
        self._change(log=log)

    def _change(self, **fields: object) -> None:
        self._state = self._state.model_copy(update=fields)
        workflow.set_current_details(render(report_of(self._state)))


def _refuse(reason: str | None) -> None:
    if reason is not None:
        raise ApplicationError(reason, type="CommandRefused", non_retryable=True)
