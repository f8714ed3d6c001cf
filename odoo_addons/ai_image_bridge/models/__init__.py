"""The records: requests, their images, counters, settings."""

from . import request, result, quota, rate_limit
from . import actions, outbox, inbox, fetch, reconcile, settings

__all__ = ["actions", "fetch", "inbox", "outbox", "quota", "rate_limit", "reconcile", "request", "result", "settings"]
