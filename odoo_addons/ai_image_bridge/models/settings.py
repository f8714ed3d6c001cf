"""The settings page's fields."""

import uuid
from urllib.parse import urlsplit

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from . import parameters
from .api import Orchestrator, UnreachableError, url_problem
from .parameters import PREFIX
from .request import DIALECTS


def _setting(kind, name, string, **options):
    return kind(string=string, config_parameter=PREFIX + name, groups="base.group_system", **options)


def _is_page(url):
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    ai_image_orchestrator_url = _setting(
        fields.Char, "orchestrator_url", "Orchestrator URL", help="https, unless it is localhost."
    )
    ai_image_route = _setting(fields.Char, "route", "Route", help="Name of this Odoo's route in the orchestrator.")
    ai_image_dialect = _setting(fields.Selection, "dialect", "Dialect", selection=DIALECTS, default="event")
    ai_image_webhook_path = _setting(
        fields.Char, "webhook_path", "Webhook Path", help="Below /webhook/; blank = the dialect's documented path."
    )
    ai_image_webhook_secret = _setting(fields.Char, "webhook_secret", "Webhook Secret")
    ai_image_callback_secret = _setting(
        fields.Char, "callback_secret", "Callback Secret", help="whsec_ and base64, or plain text."
    )
    ai_image_callback_secret_old = _setting(
        fields.Char, "callback_secret_old", "Former Callback Secret", help="Still accepted while secrets are rotated."
    )
    ai_image_security_token = _setting(
        fields.Char, "security_token", "Security Token", help="In the bodies of the dialect endpoint."
    )
    ai_image_api_token = _setting(
        fields.Char, "api_token", "API Token", help="Bearer token for /api/requests: status, redrive, cancel."
    )
    ai_image_ui_url = _setting(fields.Char, "ui_url", "Web Interface URL", help="Of Temporal.")
    ai_image_ui_namespace = _setting(fields.Char, "ui_namespace", "Namespace", help="Blank = default.")
    ai_image_default_model = _setting(
        fields.Char, "default_model", "Default Model", help="Where a dialect needs a model and the request has none."
    )
    ai_image_service_type = _setting(
        fields.Char, "service_type", "Service Type", help="ai_service_type of the dialect request."
    )
    ai_image_callback_base_url = _setting(
        fields.Char, "callback_base_url", "Callback Base URL", help="Of the dialect endpoint; blank = web.base.url."
    )
    ai_image_image_origins = _setting(
        fields.Char,
        "image_origins",
        "Image Origins",
        help="Further origins, as https://images.example, that images may be downloaded from; separated by blanks.",
    )
    ai_image_timeout_s = fields.Integer("Timeout (s)", groups="base.group_system")
    ai_image_max_tries = fields.Integer("Tries", groups="base.group_system", help="0 = no end.")
    ai_image_result_deadline_min = fields.Integer(
        "Outcome Overdue After (min)", groups="base.group_system", help="Then the orchestrator is asked."
    )
    ai_image_daily_quota = fields.Integer("Daily Quota per User", groups="base.group_system", help="0 = none.")
    ai_image_callback_rate_limit = fields.Integer(
        "Callbacks per Caller and Minute", groups="base.group_system", help="0 = no limit."
    )
    ai_image_body_limit_mb = fields.Integer("Largest Callback (MiB)", groups="base.group_system")

    @api.model
    def get_values(self):
        values = super().get_values()
        for name in parameters.NUMBERS:
            values[f"ai_image_{name}"] = parameters.number(self.env, name)
        return values

    def set_values(self):
        # Odoo's own way of storing numbers cannot tell 0 from not set.
        result = super().set_values()
        store = self.env["ir.config_parameter"].sudo()
        for name in parameters.NUMBERS:
            store.set_param(PREFIX + name, str(self[f"ai_image_{name}"]))
        return result

    @api.constrains(
        "ai_image_orchestrator_url", "ai_image_ui_url", *(f"ai_image_{name}" for name in parameters.NUMBERS)
    )
    def _check_ai_image_settings(self):
        allow_http = bool(parameters.text(self.env, "allow_http"))
        for settings in self:
            url = (settings.ai_image_orchestrator_url or "").strip()
            problem = url_problem(url.rstrip("/"), allow_http) if url else None
            if problem:
                raise ValidationError(_("Orchestrator URL: %s", problem))
            if settings.ai_image_ui_url and not _is_page(settings.ai_image_ui_url.strip()):
                raise ValidationError(_("Web interface URL: it must begin with https:// or http:// and name a host."))
            if any(settings[f"ai_image_{name}"] < 0 for name in parameters.NUMBERS):
                raise ValidationError(_("The numbers must not be negative."))
            if settings.ai_image_timeout_s < 1 or settings.ai_image_body_limit_mb < 1:
                raise ValidationError(_("The timeout and the largest callback must be 1 or more."))

    def action_ai_image_test_connection(self):
        """Ask the orchestrator whether it is ready and takes the API token; raises `UserError` where it does not."""
        self.ensure_one()
        orchestrator = Orchestrator(self.env)
        try:
            health = orchestrator.health()
            state = orchestrator.state(str(uuid.uuid4()))
        except UnreachableError as error:
            raise UserError(_("The orchestrator could not be asked: %s", error)) from None
        if not health.ok:
            raise UserError(_("The orchestrator is not ready: %s", health.message))
        if state.status != 404 or "no request" not in state.message:
            raise UserError(_("The orchestrator runs, but does not take the API token or route: %s", state.message))
        params = {"type": "success", "message": _("The orchestrator is ready and takes the API token.")}
        return {"type": "ir.actions.client", "tag": "display_notification", "params": params}
