"""Tests in Odoo's own framework."""

from . import test_access, test_actions, test_callbacks, test_fetch, test_fuzz, test_outbox, test_pure, test_reconcile
from . import test_failure_activity, test_hostile, test_i18n, test_settings, test_ui, test_ui_odoo_17

__all__ = [
    "test_access",
    "test_actions",
    "test_callbacks",
    "test_failure_activity",
    "test_fetch",
    "test_fuzz",
    "test_hostile",
    "test_i18n",
    "test_outbox",
    "test_pure",
    "test_reconcile",
    "test_settings",
    "test_ui",
    "test_ui_odoo_17",
]
