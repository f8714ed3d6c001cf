"""The two sides of a reconciliation, what is found between them, and the report. Pure: times are epoch seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from pydantic import Field

from contracts.decisions import Parked
from contracts.identity import sha256_hex
from contracts.model import Frozen
from contracts.requests import DeliverInput, RecordReference, StoredImage

FOLDER = "reconciliations"
"""Where the store keeps reports and notes of repairs."""
KEPT_S = 30 * 86_400.0
"""Seconds they are kept."""
MOST_NAMED = 100
"""Findings of one Odoo that a report names; the store has them all."""


class Kind(StrEnum):
    """What two sides that disagree have in common, in the order in which a request can get lost."""

    NEVER_STARTED = "asked_never_started"
    """Odoo says sent, and there is no workflow."""
    NEVER_DELIVERED = "started_never_delivered"
    """The workflow has ended or waits as a dead letter, and Odoo has no outcome."""
    NOT_ATTACHED = "delivered_not_attached"
    """Odoo has the outcome, but not the image, or not the one that was delivered."""
    TWICE = "delivered_twice"
    """Odoo has an image twice, or one that was never delivered."""


class Repair(StrEnum):
    """What brings the sides together again. Each may be done twice."""

    RESEND = "resend"
    """Odoo sends the request again, under its key."""
    REDRIVE = "redrive"
    """The parked delivery is taken up again."""
    REDELIVER = "redeliver"
    """The same outcome is posted again under its Idempotency-Key."""
    ATTACH = "attach"
    """The image is attached to its record again; an Odoo without the addon."""
    DEDUPLICATE = "deduplicate"
    """The exact copies of an attachment are removed."""


class Attachment(Frozen):
    """An image as Odoo keeps it."""

    number: int
    """Id in Odoo."""
    sha256: str | None = None
    """What Odoo says it is, or the beginning of it; None where it says nothing."""
    checksum: str
    """Odoo's SHA-1 of the bytes."""
    size: int
    """Bytes."""
    altered: bool = False
    """Whether it was written after it was made, and its bytes are not the store's any more."""

    def holds(self, image: StoredImage) -> bool:
        """Whether Odoo takes it for that image."""
        return self.sha256 is not None and image.sha256.startswith(self.sha256)


class Asked(Frozen):
    """Odoo's side of a request."""

    record: int
    """Id of the `ai.image.request`, or of the record that asked where there is no addon."""
    key: str
    state: str
    """As the addon has it; without an addon always completed."""
    asked_at: float
    settled: bool = False
    """Whether Odoo has accepted an outcome."""
    error_code: str | None = None
    attachments: tuple[Attachment, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether Odoo waits for an outcome."""
        return self.state in {"sent", "processing"} and not self.settled

    @property
    def downloads(self) -> bool:
        """Whether Odoo still fetches an image whose URL it was told."""
        return self.state == "processing" and self.settled


class Handled(Frozen):
    """Our side of a request."""

    request_id: str
    route: str
    dialect: str
    workflow_id: str
    run_id: str
    open: bool
    outcome: str | None = None
    """As the search attribute `Outcome` has it; None where the run ended without one."""
    quiet_since: float
    """When it ended, was parked or, where it is at work, began."""
    parked: Parked | None = None
    images: tuple[StoredImage, ...] = ()
    """What was delivered; only where it completed."""
    record: RecordReference | None = None


class Finding(Frozen):
    """One disagreement."""

    kind: Kind
    request_id: str
    detail: str
    """One sentence for people."""
    repair: Repair | None = None
    """None = only a person can tell what is right."""
    ordered_only: bool = False
    """Whether it is repaired only where a person orders it, never by the schedule."""
    record: int | None = None
    workflow_id: str | None = None
    run_id: str | None = None
    route: str | None = None
    parking: int = 0
    attachments: tuple[int, ...] = ()
    """The attachments that the repair removes."""
    missing: tuple[StoredImage, ...] = ()
    target: RecordReference | None = None
    """The record to attach them to, where Odoo has no addon."""

    def note_key(self, odoo: str) -> str:
        """Where the store notes that this was repaired: what comes back is not repaired again by the clock."""
        named = (odoo, self.kind, self.request_id, self.run_id or "", str(self.parking))
        return f"{FOLDER}/repairs/{sha256_hex(chr(10).join(named).encode())}"


class ReconcileOrder(Frozen):
    """The input of the workflow `reconciliation`. What is not given is taken from the worker's settings."""

    odoos: tuple[str, ...] = ()
    """Names of Odoos; () = all that can be asked."""
    since_s: float | None = Field(default=None, gt=0)
    """How far back it looks."""
    repair: bool | None = None
    by: str | None = None
    """Who ordered it; None = the schedule."""


class ReconcileTask(Frozen):
    """The reconciliation of one Odoo, as the worker's settings have it."""

    odoo: str
    database: str
    since_s: float
    grace_s: float
    batch: int
    repair: bool
    repairs: int
    """Most repairs of this run."""
    ordered: bool = False
    """Whether a person ordered it."""


class ReconcilePlan(Frozen):
    """The result of `plan-reconciliation`."""

    tasks: tuple[ReconcileTask, ...]


class Comparison(Frozen):
    """The result of `compare-with-odoo`."""

    asked: int = 0
    """Requests that Odoo knows in the window."""
    handled: int = 0
    """Requests that Temporal knows in the window."""
    counts: dict[Kind, int] = Field(default={})
    findings: tuple[Finding, ...] = ()
    """At most `MOST_NAMED`."""
    report: str | None = None
    """The store's key of the JSON document of all findings."""
    notes: tuple[str, ...] = ()
    """What could not be compared, and why."""


class RepairOrder(Frozen):
    """The input of `repair-finding`."""

    task: ReconcileTask
    finding: Finding


class Repaired(Frozen):
    """The result of `repair-finding`."""

    done: bool
    said: str
    """What was done, or why not; one line."""
    letter: DeliverInput | None = None
    """The delivery that is still to be posted for it."""


class Result(Frozen):
    """What became of one finding."""

    finding: Finding
    repaired: bool = False
    said: str | None = None


class OdooReport(Frozen):
    """How one Odoo and the orchestrator agree."""

    odoo: str
    database: str
    comparison: Comparison = Comparison()
    results: tuple[Result, ...] = ()
    """One for each named finding."""
    problem: str | None = None
    """Why the sides could not be compared."""

    @property
    def repaired(self) -> dict[Kind, int]:
        """How many were repaired."""
        return dict(Counter(result.finding.kind for result in self.results if result.repaired))

    @property
    def left(self) -> int:
        """Findings that are still there."""
        return sum(self.comparison.counts.values()) - sum(self.repaired.values())


class ReconcileReport(Frozen):
    """The result of the workflow `reconciliation`."""

    odoos: tuple[OdooReport, ...] = ()

    @property
    def left(self) -> int:
        """Findings that are still there, at all Odoos."""
        return sum(report.left for report in self.odoos)

    @property
    def outcome(self) -> str:
        """One word, as the search attribute `Outcome` of the workflow has it."""
        if any(report.problem for report in self.odoos):
            return "not_compared"
        if self.left:
            return "findings_left"
        return "repaired" if any(report.results for report in self.odoos) else "consistent"

    def counts(self) -> dict[str, int]:
        """All findings by kind, and how many are left."""
        return {**totals(report.comparison.counts for report in self.odoos), "left": self.left}


def totals(counts: Iterable[dict[Kind, int]]) -> dict[str, int]:
    """The sums by kind; a kind that was not found is 0."""
    found: Counter[Kind] = Counter()
    for each in counts:
        found.update(each)
    return {kind.value: found[kind] for kind in Kind}
