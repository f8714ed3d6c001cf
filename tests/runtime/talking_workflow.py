"""A workflow and an activity that log, run in the sandbox as the real ones are."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    import structlog

log = structlog.get_logger()


@activity.defn(name="speak")
async def speak(text: str) -> str:
    """Log once by each logger."""
    log.info("activity_spoke", text=text)
    activity.logger.info("activity told the standard library")
    return text


@workflow.defn(name="talking")
class TalkingWorkflow:
    """Log before and after each of three activities."""

    @workflow.run
    async def run(self, text: str) -> None:
        """Three steps, so that a worker without a cache replays the first of them twice."""
        log.info("workflow_began", text=text)
        for step in range(3):
            await workflow.execute_activity(speak, text, start_to_close_timeout=timedelta(seconds=10))
            log.info("workflow_stepped", step=step)
        workflow.logger.info("workflow told the standard library")
