"""What an operator reads about a request in the Web UI, in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from contracts.decisions import Parked, Status
from contracts.policies import StepPolicy
from contracts.requests import GeneratedImages, ImageGenerationInput, Outcome, Stage

_ENDED = {
    Outcome.COMPLETED: "**Completed**: the image was delivered to Odoo `{odoo}`. Nothing is left to do.",
    Outcome.REJECTED: "**Rejected**: Odoo `{odoo}` was told why. Nothing is left to do here.",
    Outcome.DISCARDED: "**Discarded** by an operator. Nothing is left to do.",
    Outcome.CANCELLED: "**Cancelled**. Odoo `{odoo}` was told, where it could be reached.",
    Outcome.EXPIRED: "**Expired**: nobody decided in time. The same request id may be sent again from Odoo.",
}
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


def render(order: ImageGenerationInput, status: Status) -> str:
    """The current details of the request of that order."""
    parts = [
        _headline(order, status),
        *_section("Where it stands", _standing(order, status)),
        *_failed(status),
        *_to_do(order, status),
        *_section("What happened", [_literal(line) for line in status.log]),
    ]
    return "\n\n".join(parts) + "\n"


def _headline(order: ImageGenerationInput, status: Status) -> str:
    if status.result is not None:
        return _ENDED[status.result.outcome].format(odoo=order.odoo)
    parked = status.parked
    if parked is not None:
        what = "The image could not be made" if parked.step == "generate" else "The outcome could not be delivered"
        return f"**Dead letter {parked.parking}**: {what}. It waits for your decision."
    if status.stage is Stage.DELIVERING:
        return f"**Delivering**: the outcome is being posted to Odoo `{order.odoo}`; retried until it arrives."
    return f"**Generating**: the image service `{status.service}` is asked for the image."


def _standing(order: ImageGenerationInput, status: Status) -> Iterator[str]:
    yield f"Asked by {_asker(order)}; the outcome goes to Odoo `{order.odoo}`"
    if status.result is not None:
        yield from _made(status.result.generated)
    elif status.parked is not None:
        yield f"Parked since {status.parked.since:%Y-%m-%d %H:%M:%S} UTC at step `{status.parked.step}`"
    elif status.stage is Stage.DELIVERING:
        yield f"It {_gives_up(order.policies.deliver)}"
    else:
        yield from _generating(order, status)
    if status.generation > 1:
        yield f"This is generation {status.generation}: each may be paid for once"


def _asker(order: ImageGenerationInput) -> str:
    request = order.request
    user = f"user {_literal(request.odoo_user)}" if request and request.odoo_user else "a user without a number"
    campaign = f", campaign {_literal(request.campaign_id)}" if request and request.campaign_id else ""
    return f"{user}{campaign}"


def _made(generated: GeneratedImages | None) -> Iterator[str]:
    if generated is None:
        return
    model = f", model {_literal(generated.model)}" if generated.model else ""
    tried = f", after {', '.join(f'`{name}`' for name in generated.tried)} could not" if generated.tried else ""
    yield f"Made by `{generated.service}`{model}{tried}"
    if generated.cost is not None:
        said = "the service said so" if generated.cost.reported else "by the configured price"
        yield f"It cost {generated.cost.amount} {_literal(generated.cost.currency)} ({said})"
    yield from (_literal(warning) for warning in generated.warnings or ())


def _generating(order: ImageGenerationInput, status: Status) -> Iterator[str]:
    if status.service in order.leased:
        account = f"workflow `image-account/{status.service}`"
        yield f"Its calls are limited: where every slot is taken it waits for one first, see {account}"
    yield f"It {_gives_up(order.policies.generate)}"
    if order.failover:
        yield f"Where it does not serve, these are asked in turn: {', '.join(f'`{name}`' for name in order.failover)}"


def _gives_up(policy: StepPolicy) -> str:
    failures = f"{policy.attempts} failures or " if policy.attempts else ""
    return f"becomes a dead letter after {failures}{_span(policy.deadline_s)} of trying"


def _failed(status: Status) -> list[str]:
    """What failed: the reason of a dead letter, or of an end without an image."""
    failure = status.parked.failure if status.parked else status.result.failure if status.result else None
    if failure is None:
        return []
    facts = [
        f"Cause: `{failure.failure}` (Odoo sees `{failure.rule.code}`)",
        f"Message: {_literal(failure.message)}",
    ]
    if failure.service is not None:
        facts.append(f"Image service: `{failure.service}`")
    if failure.http_status is not None:
        facts.append(f"HTTP status: {failure.http_status}")
    if failure.provider_code is not None:
        facts.append(f"The service's own code: {_literal(failure.provider_code)}")
    if failure.provider_request_id is not None:
        facts.append(f"The service's own id of the call: {_literal(failure.provider_request_id)}")
    if failure.unpaid:
        facts.append("Nothing was made, so nothing was paid")
    return _section("What failed", facts)


def _to_do(order: ImageGenerationInput, status: Status) -> list[str]:
    if status.result is not None:
        return []
    if status.parked is None:
        attempts = "Each attempt, its failure and the time of the next one stand in the tab **Pending Activities**."
        return ["### What to do", f"Nothing: it goes on by itself. {attempts}"]
    until = status.parked.since + timedelta(seconds=order.policies.park_s)
    where = "**More Actions → Send an Update** on this page, or `orchestrator dead-letters` on the command line"
    return [
        f"### What to do\n\n{status.parked.failure.rule.remedy}",
        f"Decide until {until:%Y-%m-%d %H:%M} UTC, else it expires and Odoo is told. {where}:",
        *_section(None, _decisions(order, status.parked)),
    ]


def _decisions(order: ImageGenerationInput, parked: Parked) -> Iterator[str]:
    yield '**redrive** tries again: `{"by": "you", "reason": "why"}`'
    if parked.step == "generate":
        services = f" ({', '.join(f'`{name}`' for name in order.services)})" if order.services else ""
        anew = ', with `"generate_again": true`' if parked.may_be_paid else ""
        yield f'**redrive** with another service{services}: add `"service": "name"`{anew}'
        yield '**redrive** that pays again where it may have been paid: add `"generate_again": true`'
        yield (
            '**redrive-with-edits** uses other values: `{"by": "you", "reason": "why", "edits": {"prompt": "..."}}`'
            f"{anew}"
        )
    yield '**discard** ends it for good: `{"by": "you", "reason": "why"}`'


def _section(title: str | None, lines: Iterable[str]) -> list[str]:
    heading = [f"### {title}"] if title else []
    return [*heading, "\n".join(f"- {line}" for line in lines)]


def _span(seconds: float) -> str:
    unit_s, unit = next(((unit_s, unit) for unit_s, unit in _UNITS if seconds >= unit_s), (1, "s"))
    return f"{round(seconds / unit_s, 1):g} {unit}"


def _literal(text: str) -> str:
    # Text from outside must not become Markdown or a link in the operator's browser.
    return "`" + text.replace("`", "'") + "`"
