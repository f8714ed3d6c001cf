"""`send`: one request from the command line, as Odoo would post it."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from contracts.errors import Failure
from contracts.requests import ImageGenerationResult, Outcome
from operations import sending
from operations.bodies import Ask, body_of
from operations.console import Context, json_option, print_facts, print_json, run
from runtime.settings import Settings
from starter.api.executions import RequestState

NO_IMAGE = 3
"""Exit code of a request that ended without an image: rejected, discarded, cancelled, expired."""
DEAD_LETTER = 4
STILL_RUNNING = 5


@dataclass(frozen=True, slots=True)
class _Target:
    """Where the request goes and what becomes of its image."""

    route: str | None
    url: str | None
    out: Path | None
    wait_s: float


@click.command()
@click.option("--prompt", required=True, help="What to draw.")
@click.option("--id", "request_id", help="Request id; the same id again is the same request.  [default: a new one]")
@click.option("--route", help="Route of the configuration.  [default: the one of --url, else the first]")
@click.option("--url", help="Webhook URL.  [default: starter.public_base_url and the route's path]")
@click.option("--negative-prompt", help="What to leave out.")
@click.option("--size", help="Width and height in pixels, as 1024x1024.")
@click.option("--seed", type=int, help="For the same image again.")
@click.option("--steps", type=int, help="Inference steps.")
@click.option("--cfg-scale", type=float, help="How closely the prompt is followed.")
@click.option("--model", help="Model, or model preference.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Image file.  [default: ID.TYPE]")
@click.option("--wait", "wait_s", default=120.0, show_default=True, type=click.FloatRange(0), help="Seconds; 0 = none.")
@json_option
@click.pass_obj
def send(
    context: Context,
    /,
    *,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - those of _Target and of Ask, as click has read them
) -> None:
    """Send one request and save its image.

    Exit code: 0 delivered (or, with --wait 0, acknowledged), 3 ended without an image, 4 dead letter, 5 still running.
    """
    target = _Target(*(options.pop(name) for name in ("route", "url", "out", "wait_s")))
    fields = {**options, "request_id": options["request_id"] or str(uuid.uuid4())}
    try:
        code, report = run(_send(context, fields, target))
    except sending.SendError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        print_json(report)
    else:
        print_facts(f"Request {report.pop('request_id')}", _lines(report))
    click.get_current_context().exit(code)


async def _send(context: Context, fields: dict[str, Any], target: _Target) -> tuple[int, dict[str, Any]]:
    settings = context.settings()
    name, route = sending.chosen_route(settings, target.route, target.url)
    url = target.url or sending.webhook_url(settings, route)
    ask = Ask(**fields, **sending.way_back(settings, route))
    acknowledged = await sending.post(url, route, body_of(route.dialect, ask))
    report: dict[str, Any] = {
        "request_id": ask.request_id,
        "route": name,
        "url": url,
        "acknowledgement": acknowledged.content,
        "acknowledged_ms": round(acknowledged.seconds * 1000, 1),
    }
    if not target.wait_s:
        return 0, {**report, "outcome": "acknowledged"}
    client = await context.client()
    state = await sending.follow(client, settings, ask.request_id, name, target.wait_s)
    result = await sending.result_of(client, state)
    return _exit_code(state, result), {**report, **await _outcome(settings, state, result, target.out)}


def _exit_code(state: RequestState, result: ImageGenerationResult | None) -> int:
    if state.open:
        return DEAD_LETTER if state.parked else STILL_RUNNING
    return 0 if result is not None and result.outcome is Outcome.COMPLETED else NO_IMAGE


async def _outcome(
    settings: Settings, state: RequestState, result: ImageGenerationResult | None, out: Path | None
) -> dict[str, Any]:
    report: dict[str, Any] = {"workflow_id": state.workflow_id}
    if state.open and state.parked is not None:
        redrive = f'orchestrator dead-letters redrive {state.request_id} --route {state.route} --reason "..."'
        return {**report, "outcome": "dead_letter", **_failure(state.parked.failure), "redrive": redrive}
    if state.open:
        return {**report, "outcome": "running", "stage": state.stage}
    report["outcome"] = state.outcome or state.status.lower()
    if state.closed is not None:
        report["finished_s"] = round((state.closed - state.started).total_seconds(), 2)
    if result is not None and result.failure is not None:
        report |= _failure(result.failure)
    if result is not None and result.generated is not None:
        report["images"] = await _saved(settings, state.request_id, result, out)
    return report


async def _saved(
    settings: Settings, request_id: str, result: ImageGenerationResult, out: Path | None
) -> list[dict[str, Any]]:
    images = result.generated.images if result.generated else ()
    saved = []
    for image, file in zip(images, sending.file_names(request_id, images, out), strict=True):
        await sending.save(settings, image, file)
        saved.append({"path": str(file), "sha256": image.sha256, "width": image.width, "height": image.height})
    return saved


def _failure(failure: Failure) -> dict[str, Any]:
    remedy = failure.rule.remedy
    return {"cause": failure.failure, "code": failure.rule.code, "message": failure.message, "remedy": remedy}


def _lines(report: dict[str, Any]) -> dict[str, object]:
    report["acknowledgement"] = json.dumps(report["acknowledgement"], ensure_ascii=False)
    images = {"image": "\n".join(f"{image['path']}  sha256 {image['sha256']}" for image in report.pop("images", []))}
    return {**report, **{name: text for name, text in images.items() if text}}
