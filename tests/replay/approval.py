"""The approved fingerprints: what today's workflow may ask for, and how to approve a change of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import unified_diff
from pathlib import Path

from tests.replay.reenactment import Reenacted

FILE = Path(__file__).with_name("fingerprints.json")
LESSON = """\
What the workflow asks for has changed in scenario {scenario}:

{difference}

Names or their order: put the change under workflow.patched, or replay fails and running requests get stuck.
Only options (timeouts, retries, queues, summaries): running requests take them over at their next step; no patch.
If it is meant so: raise the version in pyproject.toml where a release has these histories, run
`scripts/record-histories --approve`, and commit the difference of {file} with your change (docs/replay.md)."""


@dataclass(frozen=True, slots=True)
class Approved:
    """What was approved last."""

    release: str
    """The release that it was approved for."""
    quick_options: str
    """Of the local activity, which stands in no history."""
    scenarios: Mapping[str, list[str]]
    """The fingerprint of each scenario."""


def read() -> Approved:
    """What was approved last; raises `OSError` where nothing was."""
    return Approved(**json.loads(FILE.read_text(encoding="utf-8")))


def write(release: str, fresh: Mapping[str, Reenacted]) -> None:
    """Approve what fresh runs ask for."""
    (quick,) = {run.quick_options for run in fresh.values() if run.quick_options}
    approved = Approved(release, quick, {name: fresh[name].fingerprint for name in sorted(fresh)})
    FILE.write_text(json.dumps(asdict(approved), indent=1) + "\n", encoding="utf-8")


def difference(scenario: str, approved: list[str], actual: list[str]) -> str | None:
    """What has changed and what to do, or None where nothing has."""
    if approved == actual:
        return None
    lines = unified_diff(approved, actual, "approved", "now", n=1, lineterm="")
    return LESSON.format(scenario=scenario, difference="\n".join(lines), file=Path(*FILE.parts[-3:]))
