"""Durable decisions: the registry of workflows, and the sandbox that worker and replay share."""

from __future__ import annotations

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from workflows.image_generation import ImageGenerationWorkflow

WORKFLOWS: tuple[type, ...] = (ImageGenerationWorkflow,)


def sandbox() -> SandboxedWorkflowRunner:
    """The sandbox; what is pure passes through it, which saves its import per workflow."""
    pure = ("contracts", "workflows.details")
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*pure))


__all__ = ["WORKFLOWS", "ImageGenerationWorkflow", "sandbox"]
