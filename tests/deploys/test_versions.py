"""Two versions of the worker as processes: ramp, switch and roll back, with the commands that operators use."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from temporalio.api.workflowservice.v1 import ListWorkerDeploymentsRequest, ListWorkerDeploymentsResponse
from temporalio.client import Client

from operations.deployments import deployments
from tests.operations.commandline import CommandLine, configured
from tests.operations.requests_at_work import accepted
from tests.temporal_server import connected, running_server

PATIENCE_S = 60
NAME = "images"
BUILDS = OLD, NEW = "1.4.0", "1.5.0-rc1"


@asynccontextmanager
async def worker_of(line: CommandLine, build_id: str) -> AsyncIterator[None]:
    """A worker process of that version."""
    process = await line.start("worker", "--json", ORCHESTRATOR__WORKER__BUILD_ID=build_id)
    assert process.stdout is not None
    try:
        async for logged in process.stdout:
            if json.loads(logged)["event"] == "worker_ready":
                break
        yield
    finally:
        process.terminate()
        await process.communicate()


@pytest.fixture(scope="module")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CommandLine]:
    """The command line of an installation on which workers of both versions run."""
    directory: Path = tmp_path_factory.mktemp("versions")
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(running_server(directory))
        line = configured(directory, address)
        versions = f'\n[worker]\ndeployment_name = "{NAME}"\nbuild_id = "{OLD}"\nshutdown_grace_s = 1\n'
        line.config.write_text(line.config.read_text(encoding="utf-8") + versions, encoding="utf-8")
        for build_id in BUILDS:
            await stack.enter_async_context(worker_of(line, build_id))
        await until(lambda: both_are_there(line), "the workers of both versions were not seen")
        yield line


async def both_are_there(line: CommandLine) -> bool:
    listed = await line.call("deployments", "list", "--json")
    return [sorted(each["build_id"] for each in one["versions"]) for one in listed.document] == [sorted(BUILDS)]


async def until(true: Callable[[], Awaitable[bool]], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await true():
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(what) from None


async def taken_by(client: Client, workflow_id: str) -> str | None:
    """The build id of the worker that did the workflow's last task."""
    info = (await client.get_workflow_handle(workflow_id).describe()).raw_description.workflow_execution_info
    return info.versioning_info.deployment_version.build_id or None


async def new_request_goes_to(client: Client, line: CommandLine, build_id: str, tag: str) -> None:
    numbers = iter(range(1000))

    async def goes() -> bool:
        handle = await accepted(client, line, f"{tag}-{next(numbers)}", "a red bicycle")
        for _ in range(20):
            if await taken_by(client, handle.id):
                break
            await asyncio.sleep(0.1)
        return await taken_by(client, handle.id) == build_id

    await until(goes, f"no new request went to {build_id}")


async def test_switch_ramp_and_roll_back(line: CommandLine) -> None:
    client = await connected(line.address)
    assert (await line.call("deployments", "rollback")).code == 1, "there is nothing to go back to yet"

    assert "everything goes to 1.4.0" in (await line.call("deployments", "set-current", OLD)).out
    await new_request_goes_to(client, line, OLD, "first")
    open_request = await accepted(client, line, "open", "a red bicycle")

    assert (await line.call("deployments", "ramp", NEW, "100")).code == 0
    await new_request_goes_to(client, line, NEW, "ramped")
    (listed,) = (await line.call("deployments", "list", "--json")).document
    assert (listed["current"], listed["ramping"], listed["percentage"]) == (OLD, NEW, 100)

    assert f"the ramp to {NEW} has ended" in (await line.call("deployments", "rollback")).out
    await new_request_goes_to(client, line, OLD, "ramp-over")

    assert (await line.call("deployments", "set-current", NEW)).code == 0
    await new_request_goes_to(client, line, NEW, "switched")

    async def open_request_moved() -> bool:
        await open_request.signal("job-finished")
        return await taken_by(client, open_request.id) == NEW

    await until(open_request_moved, "an open request did not move on to the new version")
    pending = (await open_request.describe()).raw_description.pending_activities
    assert [one.attempt > 1 for one in pending] == [True], "workers without version do the activities of versioned ones"

    assert f"everything goes to {OLD} again, in place of {NEW}" in (await line.call("deployments", "rollback")).out
    await new_request_goes_to(client, line, OLD, "back")
    assert f"everything goes to {OLD}" in (await line.call("deployments", "list")).out

    left = await line.call("deployments", "set-current", "--unversioned")
    assert (left.code, left.out) == (0, f"{NAME}: everything goes to (without version)\n")
    (listed,) = (await line.call("deployments", "list", "--json")).document
    assert listed["current"] is None


async def test_ours_is_listed_even_while_visibility_lacks_it(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connected(line.address)

    async def lacks_it(_request: ListWorkerDeploymentsRequest) -> ListWorkerDeploymentsResponse:
        return ListWorkerDeploymentsResponse()

    monkeypatch.setattr(client.workflow_service, "list_worker_deployments", lacks_it)
    assert [one.name for one in await deployments(client, NAME)] == [NAME]
    assert await deployments(client, None) == await deployments(client, "no-such") == []


async def test_a_version_that_does_not_run_is_refused_in_one_line(line: CommandLine) -> None:
    refused = await line.call("deployments", "set-current", "9.9.9")
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (1, "", 1)


@pytest.mark.parametrize("chosen", [(), (OLD, "--unversioned")])
async def test_one_target_must_be_named(tmp_path: Path, chosen: tuple[str, ...]) -> None:
    ran = await configured(tmp_path).call("deployments", "set-current", *chosen)
    assert (ran.code, "name one BUILD_ID, or --unversioned" in ran.err) == (2, True)


async def test_without_versions_the_commands_say_so(tmp_path: Path) -> None:
    ran = await configured(tmp_path).call("deployments", "ramp", NEW, "10")
    assert ran.code == 2
    assert "worker.deployment_name is not set" in ran.err


@pytest.mark.parametrize("half", ['deployment_name = "images"', 'build_id = "1"'])
async def test_half_a_version_is_refused(tmp_path: Path, half: str) -> None:
    line = configured(tmp_path)
    line.config.write_text(line.config.read_text(encoding="utf-8") + f"\n[worker]\n{half}\n", encoding="utf-8")
    ran = await line.call("worker")
    assert (ran.code, ran.err.splitlines()) == (
        2,
        ["configuration: worker: deployment_name and build_id go together: set both, or neither"],
    )
