"""What today's code asks for when it is led through a recorded history: each command with its options, one a line.

Replay compares names and order of commands and takes no notice of their options. Here the commands are caught between
the workflow and Temporal's core, whatever function of the workflow gave them. Inputs and results are left out.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

from runtime.temporal import DATA_CONVERTER
from workflows import WORKFLOWS, sandbox

_UNSET = b"binary/null"


async def asked(history: WorkflowHistory, workflows: Sequence[type] = WORKFLOWS) -> list[str]:
    """The commands of one replay, in order; raises what replay raises."""
    return (await asked_in_each({history.workflow_id: history}, workflows))[history.workflow_id]


async def asked_in_each(
    histories: Mapping[str, WorkflowHistory], workflows: Sequence[type] = WORKFLOWS
) -> dict[str, list[str]]:
    """The commands of each replay, in order; raises what the first one that fails raises, with the history's name."""
    catching = _Catching(sandbox())
    with ThreadPoolExecutor() as executor:
        replayer = Replayer(
            workflows=workflows,
            data_converter=DATA_CONVERTER,
            workflow_runner=catching,
            workflow_task_executor=executor,
        )
        async with replayer.workflow_replay_iterator(_named(histories)) as replays:
            async for replay in replays:
                if replay.replay_failure is not None:
                    replay.replay_failure.add_note(f"history {replay.history.workflow_id}")
                    raise replay.replay_failure
    return {name: [line for one in catching.commands[name] for line in _lines(one)] for name in histories}


async def _named(histories: Mapping[str, WorkflowHistory]) -> AsyncIterator[WorkflowHistory]:
    for name, history in histories.items():
        yield WorkflowHistory(name, history.events)


class _Catching(WorkflowRunner):
    """Runs workflows as `inner` does and keeps the commands that they give, by the name of the history."""

    def __init__(self, inner: WorkflowRunner) -> None:
        self._inner = inner
        self.commands: dict[str, list[WorkflowCommand]] = defaultdict(list)

    def prepare_workflow(self, defn: Any) -> None:
        self._inner.prepare_workflow(defn)

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        self._inner.set_worker_level_failure_exception_types(types)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _Caught(self._inner.create_instance(det), self.commands[det.info.workflow_id])


class _Caught(WorkflowInstance):
    def __init__(self, inner: WorkflowInstance, commands: list[WorkflowCommand]) -> None:
        self._inner = inner
        self._commands = commands

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        completion = self._inner.activate(act)
        for command in completion.successful.commands:
            kept = WorkflowCommand()
            kept.CopyFrom(command)
            self._commands.append(kept)
        return completion

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._inner.get_serialization_context(command_info)

    def get_info(self) -> Any:
        return self._inner.get_info()

    def get_external_store_context(self, *given: Any, **named: Any) -> Any:
        return self._inner.get_external_store_context(*given, **named)

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()


def _lines(command: WorkflowCommand) -> Iterator[str]:
    kind = str(command.WhichOneof("variant"))
    # Answers to queries and to Updates are no commands of the history, but for that an Update was taken.
    if kind in _READERS:
        content = getattr(command, kind)
        yield " ".join((kind, *_READERS[kind](content), *_summary(command)))


def _activity(asked_for: Any) -> Iterator[str]:
    yield asked_for.activity_type
    if hasattr(asked_for, "task_queue"):
        yield f"on {asked_for.task_queue}"
    for limit in ("start_to_close", "schedule_to_close", "schedule_to_start", "heartbeat"):
        name = f"{limit}_timeout"
        if name in asked_for.DESCRIPTOR.fields_by_name and _seconds(getattr(asked_for, name)):
            yield f"{limit}={_seconds(getattr(asked_for, name)):.12g}s"
    policy = asked_for.retry_policy
    attempts = policy.maximum_attempts or "unlimited"
    never = ",".join(policy.non_retryable_error_types) or "none"
    first, longest = _seconds(policy.initial_interval), _seconds(policy.maximum_interval)
    yield f"retry={first:g}s*{policy.backoff_coefficient:g}..{longest:g}s attempts={attempts} never={never}"


def _timer(timer: Any) -> Iterator[str]:
    seconds = _seconds(timer.start_to_fire_timeout)
    # A delay with chance in it, or until a moment, is only bounded.
    yield f"{seconds:.12g}s" if seconds == int(seconds) else f"below {math.ceil(seconds)}s"


def _patch(marker: Any) -> Iterator[str]:
    yield f"{marker.patch_id}{' deprecated' if marker.deprecated else ''}"


def _attributes(upsert: Any) -> Iterator[str]:
    fields = upsert.search_attributes
    known = fields.indexed_fields if hasattr(fields, "indexed_fields") else fields
    yield from (f"{name}={_text(known[name])}" for name in sorted(known))


def _memo(modified: Any) -> Iterator[str]:
    fields = modified.upserted_memo.fields
    yield from (f"{name}={'unset' if _is_unset(fields[name]) else 'set'}" for name in sorted(fields))


def _signal(signal: Any) -> Iterator[str]:
    yield f"{signal.signal_name} to {signal.workflow_execution.workflow_id or signal.child_workflow_id}"


def _child(child: Any) -> Iterator[str]:
    yield f"{child.workflow_type} on {child.task_queue}"
    yield f"close={child.parent_close_policy} cancel={child.cancellation_type}"


def _again(again: Any) -> Iterator[str]:
    yield again.workflow_type or "itself"


def _nothing(_content: Message) -> Iterator[str]:
    yield from ()


_READERS: Mapping[str, Callable[[Any], Iterator[str]]] = MappingProxyType(
    {
        "start_timer": _timer,
        "cancel_timer": _nothing,
        "schedule_activity": _activity,
        "schedule_local_activity": _activity,
        "request_cancel_activity": _nothing,
        "request_cancel_local_activity": _nothing,
        "set_patch_marker": _patch,
        "start_child_workflow_execution": _child,
        "cancel_child_workflow_execution": _nothing,
        "signal_external_workflow_execution": _signal,
        "request_cancel_external_workflow_execution": _nothing,
        "upsert_workflow_search_attributes": _attributes,
        "modify_workflow_properties": _memo,
        "complete_workflow_execution": _nothing,
        "fail_workflow_execution": _nothing,
        "cancel_workflow_execution": _nothing,
        "continue_as_new_workflow_execution": _again,
    }
)


def _summary(command: WorkflowCommand) -> Iterator[str]:
    if command.user_metadata.HasField("summary"):
        yield json.dumps(json.loads(command.user_metadata.summary.data), ensure_ascii=False)


def _text(value: Payload) -> str:
    return "unset" if _is_unset(value) else str(json.loads(value.data))


def _is_unset(value: Payload) -> bool:
    return value.metadata.get("encoding") == _UNSET


def _seconds(duration: Duration) -> float:
    return duration.ToTimedelta().total_seconds()
