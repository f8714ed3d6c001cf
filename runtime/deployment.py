"""Which version of which Worker Deployment the workflows' worker is."""

from __future__ import annotations

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

from runtime.settings import WorkerSettings


def deployment_config(worker: WorkerSettings) -> WorkerDeploymentConfig | None:
    """The version, or None where there is none. Open requests move on to the new one: patches keep that safe.

    A dead letter waits for weeks; pinned to its version it would keep that version's workers alive as long.
    """
    if worker.deployment_name is None or worker.build_id is None:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(worker.deployment_name, worker.build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )
