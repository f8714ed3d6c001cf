"""Versions of the workers: which one new workflow tasks go to, in what share, and back again. Nothing restarts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from temporalio.api.deployment.v1 import WorkerDeploymentInfo, WorkerDeploymentVersion
from temporalio.api.enums.v1 import VersionDrainageStatus, WorkerDeploymentVersionStatus
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    ListWorkerDeploymentsRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

NO_VERSIONS = "(without version)"
"""Stands for workers that have no version."""


class DeploymentError(Exception):
    """It cannot be done. The message is one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the workers."""

    build_id: str
    status: str
    """inactive, current, ramping, draining or drained."""
    drainage: str
    """Whether requests still depend on it: draining, drained or unspecified."""
    was_current_at: datetime | None
    """When it was current last; None = never, or now."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The versions of one Worker Deployment."""

    name: str
    current: str | None
    """Build id that workflow tasks go to; None = workers without version."""
    ramping: str | None
    """Build id that a share of them goes to."""
    percentage: float
    """That share, in percent."""
    versions: tuple[Version, ...]

    @property
    def routing(self) -> str:
        """Where workflow tasks go, in words."""
        current = self.current or NO_VERSIONS
        if self.ramping is None:
            return f"everything goes to {current}"
        return f"{self.percentage:g} % of the requests go to {self.ramping}, the rest to {current}"

    def previous(self) -> str | None:
        """The build id that was current before the current one, or None."""
        left = [(one.was_current_at, one.build_id) for one in self.versions if one.was_current_at]
        return max(((when, build) for when, build in left if build != self.current), default=(None, None))[1]


async def deployments(client: Client, ours: str | None) -> list[Deployment]:
    """Every Worker Deployment of the namespace, by name. Raises `RPCError`.

    `ours` is asked for by its name: Temporal lists from visibility, which lacks a deployment at times.
    """
    request, names = ListWorkerDeploymentsRequest(namespace=client.namespace), {ours} if ours else set[str]()
    while True:
        page = await client.workflow_service.list_worker_deployments(request)
        names |= {one.name for one in page.worker_deployments}
        if not page.next_page_token:
            found = [await _deployment_if_any(client, name) for name in sorted(names)]
            return [one for one in found if one]
        request.next_page_token = page.next_page_token


async def _deployment_if_any(client: Client, name: str) -> Deployment | None:
    try:
        return await deployment(client, name)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise


async def deployment(client: Client, name: str) -> Deployment:
    """One Worker Deployment; raises `RPCError` where there is none of that name."""
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=name)
    return _read((await client.workflow_service.describe_worker_deployment(request)).worker_deployment_info)


async def set_current(client: Client, name: str, build_id: str | None, *, unpolled: bool = False) -> None:
    """Send every workflow task to the version from now on; None = to workers without version.

    `unpolled` allows a version whose workers do not run. Raises `RPCError`.
    """
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace,
        deployment_name=name,
        build_id=build_id or "",
        identity=client.identity,
        ignore_missing_task_queues=unpolled,
        allow_no_pollers=unpolled,
    )
    await client.workflow_service.set_worker_deployment_current_version(request)


async def ramp(client: Client, name: str, build_id: str | None, percentage: float) -> None:
    """Send a share of the requests to the version; None = end the ramp. Raises `RPCError`."""
    request = SetWorkerDeploymentRampingVersionRequest(
        namespace=client.namespace,
        deployment_name=name,
        build_id=build_id or "",
        percentage=percentage,
        identity=client.identity,
    )
    await client.workflow_service.set_worker_deployment_ramping_version(request)


async def roll_back(client: Client, name: str) -> str:
    """Undo the last step: end the ramp, or go back to the version before; returns what was done, in words.

    Raises `DeploymentError` where there is nothing to go back to.
    """
    now = await deployment(client, name)
    if now.ramping is not None:
        await ramp(client, name, None, 0)
        return f"the ramp to {now.ramping} has ended; everything goes to {now.current or NO_VERSIONS}"
    back = now.previous()
    if back is None:
        current = now.current or NO_VERSIONS
        raise DeploymentError(
            f"{name}: no version was current before {current}: choose one with set-current, or its --unversioned"
        )
    await set_current(client, name, back)
    return f"everything goes to {back} again, in place of {now.current or NO_VERSIONS}"


def _read(info: WorkerDeploymentInfo) -> Deployment:
    routing = info.routing_config
    return Deployment(
        name=info.name,
        current=_build(routing.current_deployment_version),
        ramping=_build(routing.ramping_deployment_version),
        percentage=routing.ramping_version_percentage,
        versions=_versions(info.version_summaries),
    )


def _build(version: WorkerDeploymentVersion) -> str | None:
    return version.build_id or None


def _versions(summaries: Sequence[WorkerDeploymentInfo.WorkerDeploymentVersionSummary]) -> tuple[Version, ...]:
    return tuple(
        Version(
            build_id=one.deployment_version.build_id,
            status=_word(WorkerDeploymentVersionStatus.Name(one.status), "WORKER_DEPLOYMENT_VERSION_STATUS_"),
            drainage=_word(VersionDrainageStatus.Name(one.drainage_info.status), "VERSION_DRAINAGE_STATUS_"),
            was_current_at=one.last_current_time.ToDatetime() if one.HasField("last_current_time") else None,
        )
        for one in summaries
    )


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower()
