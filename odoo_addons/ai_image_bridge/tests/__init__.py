"""Tests in Odoo's own framework; those of the screens are added when they exist."""

from . import test_access, test_actions, test_callbacks, test_fetch, test_fuzz, test_outbox, test_pure, test_reconcile
from . import test_settings

__all__ = [
    "test_access",
    "test_actions",
    "test_callbacks",
    "test_fetch",
    "test_fuzz",
    "test_outbox",
    "test_pure",
    "test_reconcile",
    "test_settings",
]
