"""What operators look at in Temporal's Web UI: saved views, columns, and links to them.

The Web UI keeps saved views and columns in the browser (localStorage of its own address) and nowhere else. A link with
`savedQuery` makes it keep one view; the set-up script keeps all of them and the columns.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode

from contracts import search_attributes as attributes
from contracts.names import ACCOUNT_WORKFLOW, DEAD_LETTER_BATCH_WORKFLOW, WORKFLOW
from contracts.requests import Outcome, Stage
from contracts.search_attributes import equals
from contracts.taxonomy import FailureClass

DEV_UI = "http://127.0.0.1:8233"
"""Where `orchestrator up` has the Web UI: spelt as it prints it, since browsers keep views by the host's name."""
_VIEWS_KEY, _COLUMNS_KEY = "saved-workflow-queries", "namespace-workflow-table-columns"


@dataclass(frozen=True, slots=True)
class View:
    """A query under a name."""

    name: str
    query: str
    shows: str
    """What is in it, for people."""


_REQUESTS = equals("WorkflowType", WORKFLOW)
_OPEN = equals("ExecutionStatus", "Running")
_PARKED = equals(attributes.STAGE.name, Stage.PARKED)

VIEWS = (
    View("Requests", _REQUESTS, "every request, the newest first"),
    View("Dead letters", _PARKED, "what waits for your decision"),
    View(
        "Dead letters: Odoo",
        f'{_PARKED} AND {attributes.CAUSE.name} IN ("{FailureClass.CALLBACK_REFUSED}", '
        f'"{FailureClass.CALLBACK_UNDELIVERABLE}")',
        "outcomes that Odoo did not take; a redrive costs nothing",
    ),
    View(
        "Dead letters: perhaps paid",
        f"{_PARKED} AND {equals(attributes.CAUSE.name, FailureClass.OUTCOME_UNKNOWN)}",
        "the service may have made and charged an image that nobody has",
    ),
    View(
        "Generating",
        f"{equals(attributes.STAGE.name, Stage.GENERATING)} AND {_OPEN}",
        "waiting for an image service",
    ),
    View("Delivering", f"{equals(attributes.STAGE.name, Stage.DELIVERING)} AND {_OPEN}", "waiting for Odoo"),
    View("Rejected", equals(attributes.OUTCOME.name, Outcome.REJECTED), "what Odoo has to correct"),
    View(
        "Expired",
        equals(attributes.OUTCOME.name, Outcome.EXPIRED),
        "dead letters that nobody decided about in time",
    ),
    View("Batches", equals("WorkflowType", DEAD_LETTER_BATCH_WORKFLOW), "decisions about many dead letters"),
    View(
        "Accounts",
        equals("WorkflowType", ACCOUNT_WORKFLOW),
        "limits and state of each image-service account",
    ),
)
"""The saved views, in the order of their importance."""

COLUMNS = (
    "Status",
    "Workflow ID",
    *(
        key.name
        for key in (
            attributes.STAGE,
            attributes.FAILURE_CODE,
            attributes.SERVICE,
            attributes.ODOO_DATABASE,
            attributes.ODOO_USER,
            attributes.CAMPAIGN,
        )
    ),
    "Start",
    "Execution Duration",
)
"""The columns of the list, from the left. The workflow id ends in the request id."""


@dataclass(frozen=True, slots=True)
class Sought:
    """What a request is found by; None = any. All that is set must hold."""

    request_id: str | None = None
    database: str | None = None
    user: str | None = None
    campaign: str | None = None
    service: str | None = None
    stage: str | None = None
    code: str | None = None
    started_before: datetime | None = None
    """With a time zone."""


def query_for(sought: Sought) -> str:
    """The list filter that finds such requests."""
    values = (
        (attributes.REQUEST_ID, sought.request_id),
        (attributes.ODOO_DATABASE, sought.database),
        (attributes.ODOO_USER, sought.user),
        (attributes.CAMPAIGN, sought.campaign),
        (attributes.SERVICE, sought.service),
        (attributes.STAGE, sought.stage),
        (attributes.FAILURE_CODE, sought.code),
    )
    terms = [equals(key.name, attributes.keyword(value)) for key, value in values if value is not None]
    if sought.started_before is not None:
        terms.append(f'StartTime < "{sought.started_before:%Y-%m-%dT%H:%M:%SZ}"')
    return " AND ".join(terms)


def link(ui: str, namespace: str, query: str, save_as: str | None = None) -> str:
    """The URL of a list; `save_as` makes the browser keep it under that name, once more at each opening."""
    parameters = {"query": query} | ({"savedQuery": save_as} if save_as else {})
    return f"{ui.rstrip('/')}/namespaces/{quote(namespace, safe='')}/workflows?{urlencode(parameters, quote_via=quote)}"


def set_up_script(namespace: str) -> str:
    """JavaScript that keeps all views and the columns in the browser that runs it; safe to repeat.

    Runs in the console of a page of the Web UI, and as a bookmark. A person's own views stay.
    """
    views = [
        {"id": f"orchestrator-{number}", "name": view.name, "query": view.query, "type": "user"}
        for number, view in enumerate(VIEWS)
    ]
    columns = [{"label": label} for label in COLUMNS]
    return _SCRIPT % tuple(json.dumps(part) for part in (namespace, views, columns, _VIEWS_KEY, _COLUMNS_KEY))


_SCRIPT = (
    "javascript:((namespace,views,columns,viewsKey,columnsKey)=>{"
    "const read=key=>JSON.parse(localStorage.getItem(key)||'{}'),"
    "keep=(key,all)=>localStorage.setItem(key,JSON.stringify(all)),"
    "saved=read(viewsKey),shown=read(columnsKey),ours=views.map(view=>view.name);"
    "saved[namespace]=[...(saved[namespace]||[]).filter(view=>!ours.includes(view.name)),...views];"
    "shown[namespace]=columns;keep(viewsKey,saved);keep(columnsKey,shown);location.reload()"
    "})(%s,%s,%s,%s,%s)"
)
