"""A generated image as the picture of the record that it was made for."""

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..models import versions

PICTURE = "image_1920"
"""What Odoo calls the picture of a partner, product, employee and others."""


class AiImageResult(models.Model):
    _inherit = "ai.image.result"

    record_name = fields.Char("Document", compute="_compute_record_name", help="Blank where it can have no picture.")

    @api.depends("request_id.res_model", "request_id.res_id")
    @api.depends_context("uid")
    def _compute_record_name(self):
        for result in self:
            record = result.request_id._record()
            fits = record is not None and PICTURE in record._fields and versions.may(record, "write")
            result.record_name = record.display_name if fits else False

    def action_use(self):
        """Make it the picture of the record, with the rights of the user."""
        self.ensure_one()
        record = self.request_id._record()
        if record is None or PICTURE not in record._fields:
            raise UserError(_("The request belongs to no record that has a picture."))
        record.write({PICTURE: self.with_context(bin_size=False).image})
        message = _("This is the picture of %s now.", record.display_name)
        params = {"type": "success", "message": message, "next": {"type": "ir.actions.act_window_close"}}
        return {"type": "ir.actions.client", "tag": "display_notification", "params": params}
