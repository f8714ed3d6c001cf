"""Starting a request's workflow exactly once, and telling a repeated request from a clashing one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from contracts.names import MEMO_DIGEST, WORKFLOW, WORKFLOW_QUEUE
from starter.intake.submission import Submission
from starter.intake.temporal_calls import served_within


class StartResult(Enum):
    """What became of a start."""

    NEW = "new"
    SAME = "same"
    """The same request was taken before."""
    OTHER = "other"
    """The id was taken before by a request with other content."""


@dataclass(frozen=True, slots=True)
class Started:
    """The run that has the id."""

    result: StartResult
    run_id: str | None
    """The new run, or the one that was there; None where Temporal does not tell."""
    started_at: datetime | None = None
    """When the run that was there began, by Temporal's clock."""


async def start(client: Client, submission: Submission, deadline_s: float) -> Started:
    """Start the workflow, or compare with the one that has the id.

    Raises `TemporalUnreachableError` where nothing is known to be durable, `RPCError` where Temporal refuses.
    """
    async with served_within(deadline_s):
        return await start_or_compare(client, submission)


async def start_or_compare(client: Client, submission: Submission) -> Started:
    """The same without a deadline; raises what the client raises."""
    try:
        handle = await _start(client, submission)
    except WorkflowAlreadyStartedError as taken:
        there = await client.get_workflow_handle(submission.workflow_id, run_id=taken.run_id).describe()
        digest = await there.memo_value(MEMO_DIGEST, None, type_hint=str)
        same = digest == submission.digest
        return Started(StartResult.SAME if same else StartResult.OTHER, taken.run_id, there.start_time)
    return Started(StartResult.NEW, handle.result_run_id)


async def _start(client: Client, submission: Submission) -> WorkflowHandle[Any, Any]:
    return await client.start_workflow(
        WORKFLOW,
        submission.input,
        id=submission.workflow_id,
        task_queue=WORKFLOW_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        memo=submission.memo,
        search_attributes=submission.search_attributes,
        static_summary=submission.summary,
        static_details=submission.details,
        # Activities inherit it: where a queue is held back, the server serves tenants in turn.
        priority=Priority(priority_key=submission.input.priority, fairness_key=submission.input.tenant),
    )
