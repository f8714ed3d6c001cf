"""What the settings page shows besides what it stores."""

from odoo import api, fields, models

from ..models import dialects

SIGNED_PATH = "/ai_image_bridge/callback"
"""The addon's own endpoint: the dialect event, signed."""


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    ai_image_model_ids = fields.Many2many(
        "ir.model",
        string="Offered For",
        domain=[("transient", "=", False)],
        groups="base.group_system",
        help="Models whose action menu has Generate image.",
    )
    ai_image_callback_url = fields.Char("Callback URL", compute="_compute_ai_image_callback_url")

    @api.depends("ai_image_dialect", "ai_image_callback_base_url")
    def _compute_ai_image_callback_url(self):
        web = self.env["ir.config_parameter"].sudo().get_param("web.base.url") or ""
        for settings in self:
            dialect = settings.ai_image_dialect or "event"
            path = SIGNED_PATH if dialect == "event" else dialects.CALLBACK_PATHS[dialect]
            settings.ai_image_callback_url = (settings.ai_image_callback_base_url or web).rstrip("/") + path

    @api.model
    def get_values(self):
        values = super().get_values()
        values["ai_image_model_ids"] = [(6, 0, self.env["ir.model"]._offering_image_wizard().ids)]
        return values

    def set_values(self):
        result = super().set_values()
        self.ai_image_model_ids._offer_image_wizard()
        return result
