"""Wire names: workflow, activities, messages, task queues, memo keys. Histories hold them, so they never change."""

from __future__ import annotations

WORKFLOW = "image-generation"
GENERATE = "generate-image"
COLLECT = "collect-images"
POLL = "poll-job"
STORE = "store-images"
CANCEL_JOB = "cancel-job"
READ_RECORD = "read-record"
COMPACT_LEDGER = "compact-ledger"
DELIVER = "deliver-callback"

REDRIVE = "redrive"
REDRIVE_WITH_EDITS = "redrive-with-edits"
DISCARD = "discard"
STATUS = "status"
CASE = "case"
"""Query: all that a decision about a request depends on."""
JOB_FINISHED = "job-finished"
"""Signal of a service's own webhook: the job is worth a look."""

ACCOUNT_WORKFLOW = "image-account"
ACQUIRE_SLOT = "acquire-slot"
RELEASE_SLOT = "release-slot"
SLOT_GRANTED = "slot-granted"

DEAD_LETTER_BATCH_WORKFLOW = "dead-letter-batch"

RETENTION_WORKFLOW = "store-retention"
SWEEP = "sweep-store"

RECONCILIATION_WORKFLOW = "reconciliation"
PLAN_RECONCILIATION = "plan-reconciliation"
COMPARE_WITH_ODOO = "compare-with-odoo"
REPAIR_FINDING = "repair-finding"

ALERTS_WORKFLOW = "alerts"
"""The workflow that watches over the installation; its id too, for there is one."""
OBSERVE = "observe"
SEND_ALERT = "send-alert"
ACK = "ack"

WORKFLOW_QUEUE = "orchestrator"
MAINTENANCE_QUEUE = "maintenance"
"""The task queue of what keeps the installation in order: queue rates, lost slots, sweeps of the store."""

MEMO_DIGEST = "digest"
MEMO_REQUEST = "request"
MEMO_PARKED = "parked"
MEMO_RECONCILIATION = "reconciliation"
MEMO_ALERTS = "alerts"


def images_queue(service: str) -> str:
    """The task queue of one image-service account; the server enforces its rate there."""
    return f"images.{service}"


def jobs_queue(service: str) -> str:
    """The task queue of what costs a service nothing: polls, downloads, cancellations. No rate holds it back."""
    return f"jobs.{service}"


def account_id(service: str) -> str:
    """The workflow id of an image-service account's limits."""
    return f"image-account/{service}"


def callbacks_queue(odoo: str) -> str:
    """The task queue of the callbacks to one Odoo."""
    return f"callbacks.{odoo}"
