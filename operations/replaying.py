"""Replaying histories with production's converter and sandbox: does today's code still make yesterday's decisions?"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from google.protobuf.json_format import ParseError
from temporalio import workflow
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.exceptions import FailureError
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    Replayer,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from runtime.temporal import DATA_CONVERTER
from runtime.tracing_temporal import TracingInterceptor
from workflows import WORKFLOWS, sandbox

LIVE_QUERY = 'ExecutionStatus = "Running"'
"""Every request that has not ended, and every account: what a deploy must not break."""

RECENT = 20
"""Executions that have ended, per workflow, the newest: what has just begun will go the same ways."""
REPLAY_S = 60.0
"""Seconds one history may take: a broken one can leave the replayer waiting for ever."""
_MESSAGE_LIMIT = 500
_INNER_MESSAGE = re.compile(r'failed: Failure \{.*?message: "(.*?)", source:', re.DOTALL)
_NOTE_CRASH = "operations.replaying.note_crash"


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one history."""

    source: str
    """The file or the workflow id, with the run id of one that has ended."""
    problem: str | None = None
    """Why it cannot be replayed, in one line; None where it can."""
    workflow: str | None = None
    """The workflow's type, where it is a live one."""
    is_open: bool = False
    """Whether it has not ended yet."""


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What became of all of them."""

    results: tuple[Replayed, ...]

    @property
    def failures(self) -> tuple[Replayed, ...]:
        """Those that cannot be replayed."""
        return tuple(result for result in self.results if result.problem is not None)

    @property
    def passed(self) -> bool:
        """Whether every history, and at least one, was replayed."""
        return bool(self.results) and not self.failures


def history_files(paths: Iterable[Path]) -> list[Path]:
    """The files that are named, and every .json file below the directories that are named."""
    return [file for path in paths for file in (sorted(path.rglob("*.json")) if path.is_dir() else [path])]


async def replay_files(
    files: Iterable[Path], workflows: Sequence[type] = WORKFLOWS, converter: DataConverter = DATA_CONVERTER
) -> ReplayReport:
    """Replay histories as the Web UI, the Temporal CLI or `WorkflowHistory.to_json` write them."""
    with _replays(workflows, converter) as replay:
        results = [await _replay_file(replay, file) for file in files]
    return ReplayReport(tuple(results))


async def replay_live(
    client: Client, query: str | None = None, workflows: Sequence[type] = WORKFLOWS, *, limit: int | None = None
) -> ReplayReport:
    """Replay the executions that a visibility query finds, `limit` at most; None = all open and the recent ones.

    Raises `RPCError` where the query cannot be run.
    """
    queries = {LIVE_QUERY: None, **_recent(workflows)} if query is None else {query: None}
    with _replays(workflows, client.data_converter) as replay:
        found = _found(client, queries, limit)
        results = [await _replay_execution(replay, client, one) async for one in found]
    return ReplayReport(tuple(results))


def _recent(workflows: Sequence[type]) -> dict[str, int]:
    names = [workflow._Definition.must_from_class(each).name for each in workflows]  # noqa: SLF001 - no public way
    return {f'WorkflowType = "{name}" AND ExecutionStatus != "Running"': RECENT for name in names}


async def _found(
    client: Client, queries: Mapping[str, int | None], limit: int | None
) -> AsyncIterator[WorkflowExecution]:
    count = 0
    for query, most in queries.items():
        async for one in client.list_workflows(query, limit=most):
            if limit is not None and count >= limit:
                return
            count += 1
            yield one


class _Replay:
    """Replays one history after the other."""

    def __init__(self, workflows: Sequence[type], converter: DataConverter, executor: ThreadPoolExecutor) -> None:
        self._crashes: list[str] = []
        self._replayer = Replayer(
            workflows=workflows,
            data_converter=converter,
            workflow_runner=sandbox(),
            workflow_task_executor=executor,
            interceptors=[TracingInterceptor(), _CrashWatch(self._crashes)],
            runtime=_silent_runtime(),
        )

    async def problem(self, history: WorkflowHistory) -> str | None:
        """Why it cannot be replayed, in one line, or None."""
        self._crashes.clear()
        try:
            async with asyncio.timeout(REPLAY_S):
                result = await self._replayer.replay_workflow(history, raise_on_replay_failure=False)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other histories are still replayed
            return _line(error)
        if result.replay_failure is not None:
            return _line(result.replay_failure)
        return self._crashes[0] if self._crashes else None


class _CrashWatch(Interceptor):
    """Notes code that crashes at the end of a history: the replayer takes the next task's failure for an end."""

    def __init__(self, crashes: list[str]) -> None:
        self._crashes = crashes

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: A002
        input.unsafe_extern_functions[_NOTE_CRASH] = self._crashes.append
        return _WatchedWorkflow


class _WatchedWorkflow(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> object:  # noqa: A002 - the SDK's name
        try:
            return await super().execute_workflow(input)
        except FailureError:
            raise
        except Exception as error:
            workflow.extern_functions()[_NOTE_CRASH](_line(error))
            raise


@contextmanager
def _replays(workflows: Sequence[type], converter: DataConverter) -> Iterator[_Replay]:
    # The replayer's own executor is never shut down, and its threads would outlive it.
    with ThreadPoolExecutor() as executor:
        yield _Replay(workflows, converter, executor)


@cache
def _silent_runtime() -> Runtime:
    # By default Temporal's core writes its warnings to standard output, into the result.
    return Runtime(telemetry=TelemetryConfig(logging=None))


async def _replay_file(replay: _Replay, file: Path) -> Replayed:
    try:
        history = _read(file)
    except OSError as error:
        return Replayed(str(file), f"cannot be read: {error.strerror}")
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, ParseError) as error:
        return Replayed(str(file), f"is no workflow history: {_line(error)}")
    return Replayed(str(file), await replay.problem(history))


def _read(file: Path) -> WorkflowHistory:
    history = WorkflowHistory.from_json(file.stem, file.read_text(encoding="utf-8"))
    if not history.events or not history.events[0].HasField("workflow_execution_started_event_attributes"):
        raise ValueError("it does not begin with the start of a workflow")
    recorded = history.events[0].workflow_execution_started_event_attributes.workflow_id
    return WorkflowHistory(recorded or file.stem, history.events)


async def _replay_execution(replay: _Replay, client: Client, one: WorkflowExecution) -> Replayed:
    is_open = one.status is WorkflowExecutionStatus.RUNNING
    source = one.id if is_open else f"{one.id} (run {one.run_id})"
    try:
        history = await client.get_workflow_handle(one.id, run_id=one.run_id).fetch_history()
    except RPCError as error:
        return Replayed(source, f"cannot be fetched: {_line(error)}", one.workflow_type, is_open)
    return Replayed(source, await replay.problem(history), one.workflow_type, is_open)


def _line(error: BaseException) -> str:
    # The core quotes a whole failure; what it says stands in its first message.
    inner = _INNER_MESSAGE.search(str(error))
    text = inner[1] if inner else str(error)
    return f"{type(error).__name__}: {' '.join(text.split())}"[:_MESSAGE_LIMIT]
