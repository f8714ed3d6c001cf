"""What an operator reads about a request in the Web UI, in Markdown. Pure."""

from __future__ import annotations

from contracts.decisions import Parked, Status
from contracts.requests import Outcome, Stage

_DOING = {
    Stage.GENERATING: "**Generating**: the image service `{service}` is asked for the image.",
    Stage.DELIVERING: "**Delivering**: the outcome is being posted to Odoo `{odoo}`; retried until it arrives.",
}
_ENDED = {
    Outcome.COMPLETED: "**Completed**: the image was delivered to Odoo `{odoo}`.",
    Outcome.REJECTED: "**Rejected**: Odoo `{odoo}` was told why. Nothing is left to do here.",
    Outcome.DISCARDED: "**Discarded** by an operator. Nothing is left to do.",
    Outcome.CANCELLED: "**Cancelled**. Odoo `{odoo}` was told, where it could be reached.",
    Outcome.EXPIRED: "**Expired**: nobody decided in time. The same request id may be sent again from Odoo.",
}


def render(odoo: str, status: Status) -> str:
    """The current details of a request that came from that Odoo."""
    outcome = status.result.outcome if status.result else None
    sentence = _headline(status.stage, status.parked, outcome).format(service=status.service, odoo=odoo)
    history = "\n".join(f"- {_literal(line)}" for line in status.log)
    return f"{sentence}\n\n{_advice(status.parked)}### What happened\n{history}\n"


def _headline(stage: Stage, parked: Parked | None, outcome: Outcome | None) -> str:
    if outcome is not None:
        return _ENDED[outcome]
    if parked is not None:
        what = "The image could not be made" if parked.step == "generate" else "The outcome could not be delivered"
        return f"**Dead letter {parked.parking}**: {what}. It waits for your decision."
    return _DOING[stage]


def _advice(parked: Parked | None) -> str:
    if parked is None:
        return ""
    failure = parked.failure
    facts = [
        f"- Step: `{parked.step}`, since {parked.since:%Y-%m-%d %H:%M:%S} UTC",
        f"- Cause: `{failure.failure}` (Odoo sees `{failure.rule.code}`)",
        f"- Message: {_literal(failure.message)}",
    ]
    if failure.http_status is not None:
        facts.append(f"- HTTP status: {failure.http_status}")
    if failure.provider_code is not None:
        facts.append(f"- The service's own code: {_literal(failure.provider_code)}")
    how = (
        "Decide with the Update **redrive** (`by`, `reason`; optionally `edits`, `service`, `generate_again`) or "
        "**discard** (`by`, `reason`), or with `orchestrator dead-letters redrive|discard`."
    )
    return "\n".join(["### What failed", *facts, "", f"### What to do\n{failure.rule.remedy}\n\n{how}", "", ""])


def _literal(text: str) -> str:
    # Text from outside must not become Markdown or a link in the operator's browser.
    return "`" + text.replace("`", "'") + "`"
