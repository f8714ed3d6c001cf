"""The workflow `alerts`: looks at regular times, decides what is wrong, and has it told.

It runs as long as the installation does, in short runs that hand on their state.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from contracts import names
from contracts.alert_board import TOLD_EVERY_S, Board, shown
from contracts.alert_outbox import failed, given_up, next_due, next_message, sent
from contracts.alerting import acknowledged, noted, observed, refusal
from contracts.alerts import Ack, AlertPolicy, AlertsState, ChannelState, LookOrder, Notice, Observation, SendOrder
from workflows.alert_details import render
from workflows.chores import Chores

EVENT_LIMIT = 4000
"""Events after which a run hands on to the next."""
LOOK_LIMIT = timedelta(seconds=60)
"""For one look."""
SEND_LIMIT = timedelta(minutes=6)
"""For one try of one message: longer than the longest `timeout_s` of a channel."""
_ONCE = RetryPolicy(maximum_attempts=1)


@workflow.defn(name=names.ALERTS_WORKFLOW)
class AlertsWorkflow:
    """Looks, decides, tells. A look that fails changes nothing; a channel that fails holds up no other."""

    @workflow.init
    def __init__(self, state: AlertsState) -> None:
        """Take over what the run before has left."""
        self._state = state
        self._look_at = 0.0
        self._looked_at: float | None = None
        self._trouble: str | None = None
        self._sending: set[str] = set()
        self._chores = Chores()
        self._published: Board | None = None

    @workflow.run
    async def run(self, _state: AlertsState) -> None:
        """Watch until the run is long enough, then hand on; ends where no channel is configured any more."""
        while not self._long_enough() and not self._nobody_listens():
            if workflow.time() >= self._look_at:
                await self._look()
            self._send_what_is_due()
            self._publish()
            self._chores.called = False
            self._chores.call_at(self._next_moment())
            await workflow.wait_condition(lambda: self._chores.called or self._long_enough())
        await workflow.wait_condition(lambda: not self._chores.busy and workflow.all_handlers_finished())
        if self._long_enough():
            workflow.continue_as_new(self._state)

    def _long_enough(self) -> bool:
        info = workflow.info()
        return info.is_continue_as_new_suggested() or info.get_current_history_length() >= EVENT_LIMIT

    def _nobody_listens(self) -> bool:
        return self._state.policy is not None and not self._state.policy.channels

    def _next_moment(self) -> float:
        due = next_due(self._state.channels, self._sending)
        return self._look_at if due is None else min(due, self._look_at)

    # --- looking ------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        try:
            seen: Observation = await workflow.execute_activity(
                names.OBSERVE,
                LookOrder(calm_s=self._calm_s()),
                result_type=Observation,
                task_queue=names.MAINTENANCE_QUEUE,
                start_to_close_timeout=LOOK_LIMIT + timedelta(seconds=TOLD_EVERY_S),
                schedule_to_close_timeout=LOOK_LIMIT + timedelta(seconds=TOLD_EVERY_S),
                heartbeat_timeout=LOOK_LIMIT + timedelta(seconds=self._interval_s()),
                retry_policy=_ONCE,
                summary="look whether anything is wrong",
            )
        except ActivityError as error:
            self._trouble = _reason(error)
        else:
            self._take(seen, workflow.time())
        self._look_at = workflow.time() + self._interval_s()

    def _interval_s(self) -> float:
        return (self._state.policy or AlertPolicy()).interval_s

    def _calm_s(self) -> float:
        """How long a look may stay silent: while nobody waits for a message, and the memo is young enough."""
        waiting = any(channel.pending for channel in self._state.channels)
        return 0.0 if self._state.policy is None or self._state.alerts or waiting else TOLD_EVERY_S

    def _take(self, seen: Observation, now: float) -> None:
        known = {alert.number for alert in self._state.alerts}
        self._state = observed(self._state, seen, now)
        self._trouble, self._looked_at = None, now
        for alert in self._state.alerts:
            if alert.number not in known:
                cause = f"{alert.condition.kind} {alert.condition.subject}"
                workflow.logger.warning("alert_opened", extra={"cause": cause})

    # --- telling ------------------------------------------------------------------------------------------------

    def _send_what_is_due(self) -> None:
        for channel in self._state.channels:
            message = next_message(channel, workflow.time())
            if message and channel.name not in self._sending:
                self._sending.add(channel.name)
                self._chores.start(self._send(channel.name, message))

    async def _send(self, name: str, message: tuple[Notice, ...]) -> None:
        try:
            await workflow.execute_activity(
                names.SEND_ALERT,
                SendOrder(channel=name, notices=message),
                task_queue=names.MAINTENANCE_QUEUE,
                start_to_close_timeout=SEND_LIMIT,
                schedule_to_close_timeout=SEND_LIMIT,
                retry_policy=_ONCE,
                summary=f"tell {name} of {len(message)} alert(s)",
            )
        except ActivityError as error:
            self._not_taken(name, _reason(error))
        else:
            self._change(name, lambda channel: sent(channel, message, workflow.time()))
        finally:
            self._sending.discard(name)
            self._chores.call()

    def _not_taken(self, name: str, reason: str) -> None:
        now = workflow.time()
        for channel in self._state.channels:
            if channel.name == name:
                self._mourn(channel, failed(channel, reason, now), reason)
        self._change(name, lambda channel: failed(channel, reason, now))

    def _mourn(self, before: ChannelState, after: ChannelState, reason: str) -> None:
        if not before.attempts:
            self._note(f"channel {before.name} fails: {reason}")
            workflow.logger.error("alert_channel_failed", extra={"cause": f"{before.name}: {reason}"})
        lost = given_up(before, after)
        if lost:
            self._note(f"channel {before.name}: {lost} message(s) given up after a day")

    def _change(self, name: str, change: Callable[[ChannelState], ChannelState]) -> None:
        channels = tuple(change(each) if each.name == name else each for each in self._state.channels)
        self._state = self._state.model_copy(update={"channels": channels})

    # --- what operators do and see ------------------------------------------------------------------------------

    @workflow.update(
        name=names.ACK,
        description='Silence an open alert until it is over. {"by": "you", "alert": 17, "reason": "on it"}; '
        'without "alert" all that are open.',
    )
    def ack(self, order: Ack) -> str:
        """Acknowledge; the answer says what was."""
        return self._acknowledge(order)

    @ack.validator
    def _check_ack(self, order: Ack) -> None:
        reason = refusal(self._state, order)
        if reason is not None:
            raise ApplicationError(reason, type="AckRefused", non_retryable=True)

    @workflow.signal(name=names.ACK, description="As the Update, for the time without a worker; else void.")
    def ack_signal(self, order: Ack) -> None:
        """Acknowledge by Signal: what cannot be acknowledged changes nothing."""
        if refusal(self._state, order) is None:
            self._acknowledge(order)

    def _acknowledge(self, order: Ack) -> str:
        self._state, numbers = acknowledged(self._state, order, workflow.time())
        self._chores.call()
        silenced = ", ".join(map(str, numbers))
        return f"acknowledged: {silenced}" if numbers else "somebody has acknowledged that before"

    def _note(self, line: str) -> None:
        self._state = noted(self._state, line, workflow.time())

    def _publish(self) -> None:
        board = Board(
            alerts=self._state.alerts,
            channels=tuple(shown(channel) for channel in self._state.channels),
            log=self._state.log,
            looked_at=self._looked_at,
            trouble=self._trouble,
        )
        workflow.set_current_details(render(board))
        if _is_news(board, self._published):
            self._published = board
            workflow.upsert_memo({names.MEMO_ALERTS: board.model_dump(mode="json")})


def _is_news(board: Board, told: Board | None) -> bool:
    """Whether the memo is out of date; that time goes by is no news for some minutes."""
    if told is None or _timeless(board) != _timeless(told):
        return True
    return board.looked_at is not None and board.looked_at - (told.looked_at or 0.0) >= TOLD_EVERY_S


def _timeless(board: Board) -> Board:
    alerts = tuple(alert.model_copy(update={"seen_at": 0.0}) for alert in board.alerts)
    return board.model_copy(update={"alerts": alerts, "looked_at": None})


def _reason(error: ActivityError) -> str:
    if is_cancelled_exception(error):
        raise error
    return str(getattr(error.cause, "message", None) or error.cause or error)
