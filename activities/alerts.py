"""The activities of the workflow `alerts`: looking, and sending through a channel. And starting that workflow."""

from __future__ import annotations

import asyncio
import time

import structlog
from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError

from activities.account_desk import PATIENCE_S, UNREACHED
from activities.alert_observation import Watch
from contracts import names
from contracts.alert_conditions import conditions
from contracts.alert_texts import WebUi, message
from contracts.alerts import AlertsState, LookOrder, Observation, SendOrder
from runtime.alert_channels import AlertNotSentError, send
from runtime.secrets import SecretMissingError
from runtime.settings import Settings

log = structlog.get_logger(__name__)


class AlertActivities:
    """Looks and sends by the settings of this worker."""

    def __init__(self, settings: Settings, client: Client) -> None:
        self._settings = settings
        self._client = client

    @activity.defn(name=names.OBSERVE)
    async def observe(self, order: LookOrder) -> Observation:
        """Look, and again at each interval while nothing is wrong and calm lasts; raises `RPCError`."""
        watch = Watch(self._client, self._settings)
        calm_until = time.monotonic() + order.calm_s
        while True:
            activity.heartbeat()
            seen = await watch.look()
            if conditions(seen, ()) or not await self._calm(calm_until):
                return seen

    async def _calm(self, until: float) -> bool:
        """Wait for the next look; False where that is the workflow's, or the next worker's."""
        interval_s = self._settings.alerts.interval_s
        if time.monotonic() + interval_s > until:
            return False
        try:
            await asyncio.wait_for(activity.wait_for_worker_shutdown(), interval_s)
        except TimeoutError:
            return True
        return False

    @activity.defn(name=names.SEND_ALERT)
    async def send_alert(self, order: SendOrder) -> None:
        """Send one message once; raises `ApplicationError` with a reason that tells nothing of the channel's URL."""
        channel = self._settings.alerts.channels.get(order.channel)
        if channel is None:
            # Removed since: the next look forgets what it was to be told.
            raise _not_sent(f"alerts.channels.{order.channel} is not in this worker's configuration")
        try:
            await send(channel, message(order.notices, web_ui(self._settings, self._client)))
        except (AlertNotSentError, SecretMissingError) as error:
            raise _not_sent(str(error)) from None
        except Exception as error:  # noqa: BLE001 - plugins of Apprise raise what they like
            # What Apprise raises may quote the URL.
            log.error("alert_channel_crashed", channel=order.channel, error=type(error).__name__)  # noqa: TRY400
            raise _not_sent(f"the channel's plugin failed with {type(error).__name__}") from None


def web_ui(settings: Settings, client: Client) -> WebUi | None:
    """Where the links of messages lead; None where it is not configured."""
    url = settings.alerts.web_ui_url
    return WebUi(url, client.namespace) if url else None


def _not_sent(reason: str) -> ApplicationError:
    return ApplicationError(reason, type="AlertNotSent", non_retryable=True)


async def ensure_alerts(client: Client, settings: Settings) -> bool:
    """Have alerts watched for, where a channel is configured; what cannot be reached is logged.

    Returns whether they are.
    """
    if not settings.alerts.channels:
        return False
    try:
        await asyncio.wait_for(_start(client), PATIENCE_S)
    except UNREACHED as error:
        log.warning("alerts_not_started", reason=str(error))
        return False
    return True


async def _start(client: Client) -> None:
    await client.start_workflow(
        names.ALERTS_WORKFLOW,
        AlertsState(),
        id=names.ALERTS_WORKFLOW,
        task_queue=names.WORKFLOW_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="watches over requests, image services and Odoos, and tells people",
    )
