"""Updates of workflows, asked for again where Temporal drops them on the way.

An Update that ends or renews its workflow is dropped where another event arrives while the worker is at it: Temporal
throws that task away and answers WorkflowNotReady ("unexpected workflow task failure"), although nothing is wrong. The
same answer comes where the workflow's tasks do fail ("Workflow Task in failed state"); no worker answers there.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

from temporalio.api.errordetails.v1 import WorkflowNotReadyFailure
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 1.0


async def execute_update(
    handle: WorkflowHandle[Any, Any],
    update: str,
    arguments: Sequence[object],
    *,
    update_id: str | None = None,
    result_type: type | None = None,
) -> Any:  # noqa: ANN401 - the update decides
    """The result of an Update; one that was dropped is sent again under the same id, so that it is taken once.

    Goes on until the caller's own timeout, which it must have. Raises what `WorkflowHandle.execute_update` raises.
    """
    update_id, pause_s = update_id or str(uuid.uuid4()), _FIRST_PAUSE_S
    while True:
        try:
            return await handle.execute_update(update, args=arguments, id=update_id, result_type=result_type)
        except RPCError as error:
            if not _dropped(error):
                raise
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _dropped(error: RPCError) -> bool:
    return any(detail.Is(WorkflowNotReadyFailure.DESCRIPTOR) for detail in error.grpc_status.details)
