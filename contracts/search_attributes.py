"""The ten Keyword search attributes (SQL visibility holds no more) by which an operator finds a request."""

from __future__ import annotations

from temporalio.common import SearchAttributeKey

REQUEST_ID = SearchAttributeKey.for_keyword("RequestId")
ROUTE = SearchAttributeKey.for_keyword("Route")
ODOO_DATABASE = SearchAttributeKey.for_keyword("OdooDatabase")
ODOO_USER = SearchAttributeKey.for_keyword("OdooUser")
CAMPAIGN = SearchAttributeKey.for_keyword("Campaign")
SERVICE = SearchAttributeKey.for_keyword("ImageService")
STAGE = SearchAttributeKey.for_keyword("Stage")
FAILURE_CODE = SearchAttributeKey.for_keyword("FailureCode")
OUTCOME = SearchAttributeKey.for_keyword("Outcome")
CAUSE = SearchAttributeKey.for_keyword("DeadLetterCause")

ALL = (REQUEST_ID, ROUTE, ODOO_DATABASE, ODOO_USER, CAMPAIGN, SERVICE, STAGE, FAILURE_CODE, OUTCOME, CAUSE)

KEYWORD_LIMIT = 255
"""Characters that SQL visibility stores of a Keyword."""


def keyword(value: str) -> str:
    """The value as it fits a Keyword attribute: cut to `KEYWORD_LIMIT` characters."""
    return value[:KEYWORD_LIMIT]


def quoted(value: str) -> str:
    """The value as a string of Temporal's list filter."""
    # Of the characters that a person types, only these end or escape a string there.
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def equals(name: str, value: str) -> str:
    """A term of Temporal's list filter: the attribute of that name has that value."""
    return f"{name} = {quoted(value)}"
