"""The workflow `image-generation`: one request from acknowledgement to settled outcome.

Histories of this workflow are recorded: change what it does only under `workflow.patched` (docs/replay.md).
"""

from __future__ import annotations

import asyncio
from typing import NoReturn

from temporalio import workflow
from temporalio.exceptions import ApplicationError, is_cancelled_exception

from contracts import names
from contracts.decisions import Decision, Parked, Redrive, Status, Step, edited
from contracts.errors import Ending, Failure, FailureClass, Retry, make_failure
from contracts.requests import (
    DeliverInput,
    GeneratedImages,
    ImageGenerationInput,
    ImageGenerationResult,
    ImageOutcome,
    ImageRequest,
    Outcome,
    Stage,
)
from workflows import measuring, record, steps
from workflows.decision_desk import DecisionDesk
from workflows.details import render
from workflows.generating import Studio, other_seed

LOG_LIMIT = 60  # lines of a request's own log


class _EndedError(Exception):
    """The request ends here, without anything more to deliver."""

    def __init__(self, outcome: Outcome, failure: Failure) -> None:
        self.outcome = outcome
        self.failure = failure


@workflow.defn(name=names.WORKFLOW)
class ImageGenerationWorkflow(DecisionDesk):
    """Accept, generate, deliver, settle. What cannot go on waits, with all its context, for an operator."""

    @workflow.init
    def __init__(self, order: ImageGenerationInput) -> None:
        """Take the request over as the starter acknowledged it."""
        super().__init__(order.request, order.services)
        self._order = order
        self._service = order.service
        self._generation = 1
        # Rises across runs too: an expired id may be sent again, and a key never carries two bodies.
        self._deliveries = int(workflow.info().start_time.timestamp() * 1000)
        self._stage = Stage.GENERATING
        self._parkings = 0
        self._telling: asyncio.Task[None] | None = None
        self._result: ImageGenerationResult | None = None
        self._log: tuple[str, ...] = ()
        self._completed = False
        self._studio = Studio(order, self._note)

    @workflow.run
    async def run(self, order: ImageGenerationInput) -> ImageGenerationResult:
        """See the request through; raises `ApplicationError` of type Expired where nobody decided in time."""
        measuring.began(order)
        self._note(f"accepted from Odoo {order.odoo} by route {order.route}")
        try:
            outcome = await self._generate()
            await self._deliver(outcome)
            return self._settle(_ending(outcome), outcome)
        except _EndedError as ended:
            return self._settle(ended.outcome, ImageOutcome(failure=ended.failure))
        except BaseException as error:
            if not is_cancelled_exception(error):
                raise
            return await self._cancelled()

    # --- generate -----------------------------------------------------------------------------------------------

    async def _generate(self) -> ImageOutcome:
        while True:
            outcome = await self._try_generating()
            failure = outcome.failure
            if failure is None or failure.rule.ending is not Ending.DEAD_LETTER:
                return outcome
            decision = await self._park("generate", failure)
            self._apply(decision)

    async def _try_generating(self) -> ImageOutcome:
        try:
            problem = await self._complete()
            if self._request is None or problem is not None:
                return _rejected(problem or self._order.problem or "the request is empty")
            generated = await self._make(self._request)
        except steps.StepFailedError as failed:
            return ImageOutcome(failure=failed.failure)
        self._note(f"{generated.service} made {len(generated.images)} image(s), stored as {generated.images[0].sha256}")
        return ImageOutcome(generated=generated)

    async def _complete(self) -> str | None:
        """Read from Odoo's record what the webhook did not carry; returns the problem that rejects the request."""
        if self._order.record is None or self._completed:
            return None
        read = await steps.read_record(self._order, self._order.record)
        self._request, self._completed = read.request, True
        self._note(f"read {self._order.record.model} {self._order.record.record_id} from Odoo {self._order.odoo}")
        return read.problem

    async def _make(self, request: ImageRequest) -> GeneratedImages:
        for _ in range(self._order.policies.reseeds):
            try:
                return await self._studio.make(request, self._service, self._generation)
            except steps.StepFailedError as failed:
                if not failed.failure.output_refused:
                    raise
            self._generation += 1
            request = other_seed(request)
            self._note(f"the finished image was refused: made again with seed {request.seed}")
        return await self._studio.make(request, self._service, self._generation)

    def _apply(self, redrive: Redrive) -> None:
        if self._request is not None:
            self._request = edited(self._request, redrive.edits)
        self._service = redrive.service or self._service
        # A generation is paid for at most once; only a decision that allows a new payment starts another.
        self._generation += redrive.pays_anew

    # --- deliver ------------------------------------------------------------------------------------------------

    async def _deliver(self, outcome: ImageOutcome) -> None:
        letter = self._next_letter(outcome)
        failure = await self._first_delivery(letter)
        while failure is not None:
            await self._park("deliver", failure)
            failure = await self._full_delivery(letter)

    async def _first_delivery(self, letter: DeliverInput) -> Failure | None:
        # Only an input that is in the history keeps its expiry when a worker dies half-way.
        quick = self._order.policies.quick_callback and letter.record is None
        if quick and letter.delivery.images == "inline":
            try:
                await steps.deliver_quickly(letter)
            except steps.StepFailedError as failed:
                self._note(f"first callback failed: {failed.failure.message}")
                if failed.failure.rule.retry is Retry.NEVER:
                    return failed.failure
                self._move(Stage.DELIVERING)
                await steps.pause(failed.retry_after_s, self._order.policies.deliver)
            else:
                self._note("Odoo took the callback")
                return None
        self._move(Stage.DELIVERING)
        return await self._full_delivery(letter)

    async def _full_delivery(self, letter: DeliverInput) -> Failure | None:
        try:
            await steps.deliver(letter)
        except steps.StepFailedError as failed:
            self._note(f"callback failed: {failed.failure.message}")
            return failed.failure
        self._note("Odoo took the callback")
        return None

    def _next_letter(self, outcome: ImageOutcome) -> DeliverInput:
        self._deliveries += 1
        return steps.letter(self._order, outcome, self._deliveries)

    async def _tell(self, failure: Failure) -> None:
        """Post a failure while the request waits; Odoo's silence is no second dead letter."""
        letter = self._next_letter(ImageOutcome(failure=failure))
        undelivered = await self._full_delivery(letter)
        if undelivered is not None:
            self._note("Odoo could not be told of the failure")

    # --- dead letter --------------------------------------------------------------------------------------------

    async def _park(self, step: Step, failure: Failure) -> Redrive:
        self._parkings += 1
        self._parked = Parked(parking=self._parkings, step=step, failure=failure, since=workflow.now())
        self._decision = None
        self._note(f"parked as dead letter {self._parkings} at step {step}: {failure.failure}")
        self._stage = Stage.PARKED
        record.parked(self._parked, self._order.reference.request_id)
        measuring.parked(self._order, self._service, self._parked)
        if step == "generate":
            self._telling = asyncio.create_task(self._tell(failure))
        decision = await self._wait_for_decision()
        return await self._unpark(step, failure, decision)

    async def _wait_for_decision(self) -> Decision | None:
        try:
            await workflow.wait_condition(
                lambda: self._decision is not None,
                timeout=self._order.policies.park_s,
                timeout_summary="dead letter: waits for redrive or discard",
            )
        except TimeoutError:
            return None
        return self._decision

    async def _unpark(self, step: Step, failure: Failure, decision: Decision | None) -> Redrive:
        if isinstance(decision, Redrive):
            await self._stop_telling()
            self._parked = None
            self._stage = Stage.GENERATING if step == "generate" else Stage.DELIVERING
            changes = record.changes(decision, self._request, self._service)
            self._note(f"redriven by {decision.by}: {decision.reason}{changes}")
            record.redriven(self._stage, decision.service)
            measuring.redriven(self._order, decision.service or self._service)
            return decision
        if decision is None:
            await self._expire()
        self._note(f"discarded by {decision.by}: {decision.reason}")
        if self._telling is not None and not self._telling.done():
            self._leave_desk()
            await self._telling
        raise _EndedError(Outcome.DISCARDED, failure)

    def _leave_desk(self) -> None:
        """No dead letter any more, although Odoo is still to be told."""
        self._parked, self._stage = None, Stage.DELIVERING
        record.redriven(self._stage, None)
        self._show()

    async def _stop_telling(self) -> None:
        if self._telling is not None and not self._telling.done():
            self._telling.cancel()
            # Gathered: nobody else takes its end, which would then be logged as a lost error.
            await asyncio.gather(self._telling, return_exceptions=True)
        self._telling = None

    async def _expire(self) -> NoReturn:
        self._leave_desk()
        await self._stop_telling()
        self._note("nobody decided in time: expired")
        failure = make_failure(FailureClass.EXPIRED, "")
        await self._tell(failure)
        self._settle(Outcome.EXPIRED, ImageOutcome(failure=failure))
        raise ApplicationError(failure.rule.sentence, type=FailureClass.EXPIRED, non_retryable=True)

    # --- end ----------------------------------------------------------------------------------------------------

    async def _cancelled(self) -> ImageGenerationResult:
        if self._parked is not None:
            self._leave_desk()
        await self._stop_telling()
        self._note("cancelled")
        failure = make_failure(FailureClass.CANCELLED, "")
        await self._tell(failure)
        return self._settle(Outcome.CANCELLED, ImageOutcome(failure=failure))

    def _settle(self, ending: Outcome, outcome: ImageOutcome) -> ImageGenerationResult:
        self._result = ImageGenerationResult(outcome=ending, generated=outcome.generated, failure=outcome.failure)
        self._parked, self._stage = None, Stage.SETTLED
        record.settled(self._result, was_parked=self._parkings > 0)
        measuring.settled(self._order, self._service, self._result)
        self._note(f"settled: {ending}")
        return self._result

    def _move(self, stage: Stage) -> None:
        if self._stage is not stage:
            self._stage = stage
            record.moved(stage)
            self._show()

    def _note(self, line: str) -> None:
        self._log = (*self._log, f"{workflow.now():%Y-%m-%d %H:%M:%S} {line}")[-LOG_LIMIT:]
        self._show()

    def _show(self) -> None:
        workflow.set_current_details(render(self._order, self.status()))

    # --- what operators ask -------------------------------------------------------------------------------------

    @workflow.query(name=names.STATUS, description="Where the request stands, and what happened so far.")
    def status(self) -> Status:
        """Where the request stands."""
        return Status(
            request_id=self._order.reference.request_id,
            stage=self._stage,
            service=self._service,
            generation=self._generation,
            parked=self._parked,
            result=self._result,
            log=self._log,
        )


def _rejected(problem: str) -> ImageOutcome:
    return ImageOutcome(failure=make_failure(FailureClass.INVALID_REQUEST, problem))


def _ending(outcome: ImageOutcome) -> Outcome:
    if outcome.failure is None:
        return Outcome.COMPLETED
    cancelled = outcome.failure.rule.ending is Ending.CANCELLED
    return Outcome.CANCELLED if cancelled else Outcome.REJECTED
