"""What an operator reads about a batch in the Web UI, in Markdown. Pure."""

from __future__ import annotations

from contracts.dead_letter_batches import BatchReport, Outcome, Phase

_DOING = {
    Phase.SELECTING: "**Selecting** the dead letters and checking the decision for each.",
    Phase.CANARY: "**Canary**: the first few are decided; their outcomes decide whether the others follow.",
    Phase.DECIDING: "**Deciding**: one after the other, at the chosen pace.",
    Phase.SETTLING: "**Settling**: all is decided; outcomes are awaited.",
}
_ENDED = {
    Outcome.DONE: "**Done**.",
    Outcome.REFUSED: "**Refused**: nothing was decided.",
    Outcome.CANCELLED: "**Cancelled**: what was decided by then goes on by itself.",
}
_SHOWN = 10


def render(report: BatchReport) -> str:
    """The current details of a batch."""
    parts = [_headline(report), _order(report), _numbers(report), _named(report), _log(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _headline(report: BatchReport) -> str:
    if report.outcome is not None:
        return _ENDED[report.outcome]
    if report.paused:
        return f"**Paused**: `{_quoted(report.paused)}`. Send the Update `resume` or `cancel`."
    return _DOING[report.phase]


def _order(report: BatchReport) -> str:
    changes = [f"- changes `{name}` to `{_quoted(str(value))[:200]}`" for name, value in report.changes.items()]
    who = f"- {report.kind} by `{_quoted(report.by)}`: `{_quoted(report.reason)}`"
    return "\n".join([who, f"- chosen: `{_quoted(report.chosen)}`", *changes])


def _numbers(report: BatchReport) -> str:
    counts = report.counts
    rows = {
        "chosen": report.total,
        "decided": report.decided,
        "taken": counts.taken,
        "settled": counts.succeeded,
        "failed again": counts.failed,
        "ended otherwise": counts.ended,
        "outcome not known yet": report.open,
        "already decided by somebody else": counts.void,
        "left out, since the decision is not possible": counts.invalid,
        "refused by the request": counts.refused,
    }
    lines = [f"| {what} | {count} |" for what, count in rows.items() if count or what in {"chosen", "decided"}]
    return "\n".join(["| | |", "|---|---|", *lines])


def _named(report: BatchReport) -> str:
    causes = [f"- failed again with `{cause}`: {count}" for cause, count in report.failed_causes.items()]
    told = [f"- `{_quoted(one.request_id)}`: `{_quoted(one.said)}`" for one in report.told[:_SHOWN]]
    return "\n".join([*causes, *told])


def _log(report: BatchReport) -> str:
    return "\n".join(["### What happened", *(f"- `{_quoted(line)}`" for line in report.log or ())])


def _quoted(text: str) -> str:
    return " ".join(text.replace("`", "'").split())
