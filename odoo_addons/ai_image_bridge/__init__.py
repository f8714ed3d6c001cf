"""Addon: image requests with an outbox, and an idempotent inbox for their outcomes."""

from . import controllers, models, views, wizards
from .hooks import finish_install, forget_settings

__all__ = ["controllers", "finish_install", "forget_settings", "models", "views", "wizards"]
