"""What a request writes about itself where it is found without a worker: search attributes and memo."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

from contracts import names
from contracts import search_attributes as attributes
from contracts.decisions import Parked, Redrive, changed
from contracts.requests import ImageGenerationResult, ImageRequest, Stage


def moved(stage: Stage) -> None:
    """The request reached a stage it will not leave at once."""
    workflow.upsert_search_attributes([attributes.STAGE.value_set(stage)])


def served_by(service: str) -> None:
    """Another service was asked."""
    workflow.upsert_search_attributes([attributes.SERVICE.value_set(service)])


def parked(why: Parked, request_id: str) -> None:
    """The request became a dead letter, which the log says too."""
    workflow.upsert_search_attributes(
        [
            attributes.STAGE.value_set(Stage.PARKED),
            attributes.FAILURE_CODE.value_set(why.failure.rule.code),
            attributes.CAUSE.value_set(why.failure.failure),
        ]
    )
    workflow.upsert_memo({names.MEMO_PARKED: why.model_dump(mode="json")})
    lost = {"request_id": request_id, "cause": str(why.failure.failure), "step": why.step}
    workflow.logger.error("dead_letter_parked", extra=lost)


def redriven(stage: Stage, service: str | None) -> None:
    """The request is no dead letter any more."""
    updates: list[SearchAttributeUpdate[Any]] = [attributes.STAGE.value_set(stage), *_no_dead_letter()]
    if service is not None:
        updates.append(attributes.SERVICE.value_set(service))
    workflow.upsert_search_attributes(updates)
    workflow.upsert_memo({names.MEMO_PARKED: None})


def settled(result: ImageGenerationResult, *, was_parked: bool) -> None:
    """The request has ended."""
    updates: list[SearchAttributeUpdate[Any]] = [
        attributes.STAGE.value_set(Stage.SETTLED),
        attributes.OUTCOME.value_set(result.outcome),
    ]
    if was_parked:
        updates += _no_dead_letter()
    if result.failure is not None:
        updates = [update for update in updates if update.key != attributes.FAILURE_CODE]
        updates.append(attributes.FAILURE_CODE.value_set(result.failure.rule.code))
    workflow.upsert_search_attributes(updates)


def _no_dead_letter() -> list[SearchAttributeUpdate[Any]]:
    return [attributes.FAILURE_CODE.value_unset(), attributes.CAUSE.value_unset()]


def changes(redrive: Redrive, request: ImageRequest | None, service: str) -> str:
    """What a redrive changes, for the log: each field's value before and after."""
    lines = changed(redrive, request, service)
    return f" ({'; '.join(lines)})" if lines else ""
