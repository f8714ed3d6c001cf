"""Durable decisions: the registry of workflows, and the sandbox that worker and replay share."""

from __future__ import annotations

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from workflows.alerts import AlertsWorkflow
from workflows.dead_letter_batch import DeadLetterBatchWorkflow
from workflows.image_account import ImageAccountWorkflow
from workflows.image_generation import ImageGenerationWorkflow
from workflows.reconciliation import ReconciliationWorkflow
from workflows.store_retention import StoreRetentionWorkflow

WORKFLOWS: tuple[type, ...] = (
    ImageGenerationWorkflow,
    ImageAccountWorkflow,
    StoreRetentionWorkflow,
    ReconciliationWorkflow,
    DeadLetterBatchWorkflow,
    AlertsWorkflow,
)


def sandbox() -> SandboxedWorkflowRunner:
    """The sandbox; what is pure passes through it, which saves its import per workflow."""
    pure = ("contracts", "workflows.details", "workflows.account_details", "workflows.dead_letter_batch_details")
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*pure))


__all__ = [
    "WORKFLOWS",
    "AlertsWorkflow",
    "DeadLetterBatchWorkflow",
    "ImageAccountWorkflow",
    "ImageGenerationWorkflow",
    "ReconciliationWorkflow",
    "StoreRetentionWorkflow",
    "sandbox",
]
