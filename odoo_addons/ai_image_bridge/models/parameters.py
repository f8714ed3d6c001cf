"""Settings: from the environment, odoo.conf or the database, in this order."""

import os

from odoo.tools import config

PREFIX = "ai_image_bridge."
TEXTS = {
    "orchestrator_url": "",
    "route": "",
    "dialect": "event",
    "webhook_path": "",
    "webhook_secret": "",
    "callback_secret": "",
    "callback_secret_old": "",
    "security_token": "",
    "api_token": "",
    "ui_url": "",
    "ui_namespace": "default",
    "default_model": "Flux LoRA",
    "service_type": "FLUX_LORA",
    "callback_base_url": "",
    "image_origins": "",
    "allow_http": "",
}
"""Default of each setting that is text. `allow_http` (any value) is for networks without TLS, in odoo.conf only."""
NUMBERS = {
    "timeout_s": 10,
    "max_tries": 50,
    "result_deadline_min": 15,
    "daily_quota": 0,
    "callback_rate_limit": 0,
    "body_limit_mb": 32,
}
"""Default of each setting that is a number, 0 or more."""


def text(env, name):
    """The setting without outer blanks; its default where it is not set or blank."""
    return _given(env, name).strip() or TEXTS[name]


def number(env, name):
    """The setting as an integer; its default where it is not set or no number."""
    given = _given(env, name).strip()
    return int(given) if given.isascii() and given.isdigit() and len(given) <= 9 else NUMBERS[name]


def is_overridden(name):
    """Whether the environment or odoo.conf decides, so that the database's value counts for nothing."""
    return bool(_override(name))


def _given(env, name):
    return _override(name) or str(env["ir.config_parameter"].sudo().get_param(PREFIX + name) or "")


def _override(name):
    option = f"ai_image_bridge_{name}"
    return str(os.environ.get(option.upper()) or config.get(option) or "")
