"""`bootstrap` on real namespaces: new ones, prepared ones, and those of somebody else."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client

from activities.queue_rates import LiveRate, read_queue_rate, set_queue_rate
from contracts import names, search_attributes
from contracts.accounts import QueueRate
from operations.queue_limits import REASON, prepare_limits, verdict
from operations.schedules import prepare_schedules
from runtime.bootstrap import Change, NamespaceNotReadyError, Prepared, check_namespace, prepare, retention_s
from runtime.configuration import load_settings
from runtime.settings import Settings
from runtime.temporal import DATA_CONVERTER
from tests.operations.commandline import CommandLine

KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
INT = IndexedValueType.INDEXED_VALUE_TYPE_INT
DAY_S = 86_400
QUEUE = "limit callbacks.main"
UNLIMITED = f"{QUEUE}: already there (unlimited)"


async def in_namespace(client: Client, name: str) -> Client:
    return await Client.connect(client.service_client.config.target_host, namespace=name, data_converter=DATA_CONVERTER)


async def taken_namespace(client: Client, attributes: dict[str, int]) -> Client:
    """A client of a namespace in which somebody else has registered these."""
    name = f"taken-{uuid4()}"
    request = RegisterNamespaceRequest(namespace=name)
    request.workflow_execution_retention_period.FromSeconds(DAY_S)
    await client.workflow_service.register_namespace(request)
    add = AddSearchAttributesRequest(namespace=name, search_attributes=attributes)  # type: ignore[arg-type]
    await client.operator_service.add_search_attributes(add)
    return await in_namespace(client, name)


async def steps(client: Client, settings: Settings, *, rehearse: bool = False) -> list[Prepared]:
    found = [step async for step in prepare(client, rehearse=rehearse)]
    found += [step async for step in prepare_limits(client, settings, rehearse=rehearse)]
    return found + [step async for step in prepare_schedules(client, settings, rehearse=rehearse)]


async def test_a_new_namespace_is_made_once(online: CommandLine, temporal_client: Client) -> None:
    name = f"new-{uuid4()}"
    rehearsed = await online.call("bootstrap", "--dry-run", TEMPORAL_NAMESPACE=name)
    client = await in_namespace(temporal_client, name)
    assert await retention_s(client) is None
    made = await online.call("bootstrap", TEMPORAL_NAMESPACE=name)
    again = await online.call("bootstrap", TEMPORAL_NAMESPACE=name)
    assert (rehearsed.code, made.code, again.code) == (0, 0, 0), (rehearsed.err, made.err, again.err)
    assert all(": would be made" in line for line in rehearsed.out.splitlines())
    assert [line for line in made.out.splitlines() if ": made" not in line] == [UNLIMITED]
    assert all(": already there" in line for line in again.out.splitlines())
    subjects = {line.split(":")[0] for line in made.out.splitlines()}
    assert subjects == {line.split(":")[0] for line in rehearsed.out.splitlines()} | {QUEUE}
    assert {f"namespace {name}", "search attribute OdooUser", "limit image-account/main"} < subjects
    assert await retention_s(client) == 30 * DAY_S
    await check_namespace(client)
    await client.get_schedule_handle(names.RETENTION_WORKFLOW).delete()


async def test_two_at_once_prepare_the_same(online: CommandLine, temporal_client: Client) -> None:
    name = f"new-{uuid4()}"
    both = await asyncio.gather(*(online.run("bootstrap", TEMPORAL_NAMESPACE=name) for _ in range(2)))
    assert [ran.code for ran in both] == [0, 0], [ran.err for ran in both]
    client = await in_namespace(temporal_client, name)
    await check_namespace(client)
    await client.get_schedule_handle(names.RETENTION_WORKFLOW).delete()


async def test_what_an_operator_has_set_and_paused_stays(online: CommandLine, temporal_client: Client) -> None:
    client = await in_namespace(temporal_client, f"new-{uuid4()}")
    settings = load_settings(online.config)
    settings = settings.model_copy(
        update={"odoos": {"main": settings.odoos["main"].model_copy(update={"rate_per_second": 5.0})}}
    )
    first = {step.name: step.change for step in await steps(client, settings)}
    queue = names.callbacks_queue("main")
    assert first[queue] is Change.MADE
    assert (await read_queue_rate(client, queue)).reason == REASON
    await set_queue_rate(client, QueueRate(queue=queue, rate_per_second=1, reason="ada: slow"))
    schedule = client.get_schedule_handle(names.RETENTION_WORKFLOW)
    await schedule.pause()
    again = {step.name: step for step in await steps(client, settings)}
    assert (again[queue].change, "ada: slow" in again[queue].detail) == (Change.LEFT, True)
    assert (await read_queue_rate(client, queue)).rate_per_second == 1
    assert "paused" in again[names.RETENTION_WORKFLOW].detail
    assert (await schedule.describe()).schedule.state.paused
    await schedule.delete()
    await set_queue_rate(client, QueueRate(queue=queue, rate_per_second=None, reason=""))


@pytest.mark.parametrize(
    ("configured", "live", "change"),
    [
        (None, LiveRate(None, "", {}), Change.NONE),
        (5.0, LiveRate(5.0, "ada", {}), Change.NONE),
        (5.0, LiveRate(None, "", {}), Change.MADE),
        (5.0, LiveRate(2.0, REASON, {}), Change.CHANGED),
        (None, LiveRate(2.0, REASON, {}), Change.CHANGED),
        (5.0, LiveRate(2.0, "ada: slow", {}), Change.LEFT),
        (0.1, LiveRate(0.10000000149011612, "", {}), Change.NONE),
    ],
)
def test_what_is_done_with_a_queue(configured: float | None, live: LiveRate, change: Change) -> None:
    assert verdict(configured, live) is change


async def test_an_attribute_of_the_wrong_type_is_one_line(online: CommandLine, temporal_client: Client) -> None:
    taken = await taken_namespace(temporal_client, {"OdooUser": INT})
    for options in ((), ("--dry-run",)):
        ran = await online.call("bootstrap", *options, TEMPORAL_NAMESPACE=taken.namespace)
        assert (ran.code, len(ran.err.splitlines())) == (2, 1)
        assert "has a search attribute OdooUser of type Int, but Keyword is needed" in ran.err
        assert "temporal operator search-attribute remove --name OdooUser" in ran.err


async def test_a_namespace_without_room_is_one_line(online: CommandLine, temporal_client: Client) -> None:
    taken = await taken_namespace(temporal_client, {f"Theirs{number}": KEYWORD for number in range(3)})
    ran = await online.call("bootstrap", TEMPORAL_NAMESPACE=taken.namespace)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "has no room" in ran.err
    assert "Theirs0, Theirs1, Theirs2" in ran.err
    with pytest.raises(NamespaceNotReadyError, match=search_attributes.ALL[0].name):
        await check_namespace(taken)


async def test_no_temporal_is_one_line(offline: CommandLine) -> None:
    ran = await offline.call("bootstrap")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert "start it or set TEMPORAL_ADDRESS" in ran.err


async def test_a_worker_says_that_there_is_no_namespace(online: CommandLine) -> None:
    ran = await online.run("worker", TEMPORAL_NAMESPACE="nobody-made-it")
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "there is no namespace nobody-made-it: run `orchestrator bootstrap`" in ran.err
