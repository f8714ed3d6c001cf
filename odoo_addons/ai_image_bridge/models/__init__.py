"""The records: requests, their images, counters, settings."""

from . import request, result, quota, rate_limit
from . import actions, outbox, inbox, fetch, reconcile, repairs, settings, failure_activity

__all__ = [
    "actions",
    "failure_activity",
    "fetch",
    "inbox",
    "outbox",
    "quota",
    "rate_limit",
    "reconcile",
    "repairs",
    "request",
    "result",
    "settings",
]
