"""Wire names: workflow, activities, messages, task queues, memo keys. Histories hold them, so they never change."""

from __future__ import annotations

WORKFLOW = "image-generation"
GENERATE = "generate-image"
COLLECT = "collect-images"
CANCEL_JOB = "cancel-job"
DELIVER = "deliver-callback"

REDRIVE = "redrive"
DISCARD = "discard"
STATUS = "status"

WORKFLOW_QUEUE = "orchestrator"

MEMO_DIGEST = "digest"
MEMO_REQUEST = "request"
MEMO_PARKED = "parked"


def images_queue(service: str) -> str:
    """The task queue of one image-service account; the server enforces its rate there."""
    return f"images.{service}"


def callbacks_queue(odoo: str) -> str:
    """The task queue of the callbacks to one Odoo."""
    return f"callbacks.{odoo}"
