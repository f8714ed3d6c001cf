"""An activity for the requester of what has failed, where the company wants one."""

from markupsafe import Markup

from odoo import _, api, fields, models

from . import versions

FAILED = ("failed", "rejected")
SETTLED = ("completed", "cancelled")


class ResCompany(models.Model):
    _inherit = "res.company"

    ai_image_failure_activity = fields.Boolean(
        "Activity for Failed Image Requests", help="Planned for the requester, on the document if there is one."
    )


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    ai_image_failure_activity = fields.Boolean(
        related="company_id.ai_image_failure_activity", readonly=False, groups="base.group_system"
    )


class AiImageRequest(models.Model):
    _inherit = "ai.image.request"

    failure_activity_id = fields.Many2one("mail.activity", copy=False, readonly=True, ondelete="set null")

    def write(self, vals):
        state = vals.get("state")
        # What stays failed was told already.
        newly_failed = self.filtered(lambda one: one.state not in FAILED) if state in FAILED else self.browse()
        written = super().write(vals)
        for request in newly_failed.sudo():
            request._plan_failure_activity()
        if state in SETTLED:
            self._drop_failure_activity()
        return written

    @api.ondelete(at_uninstall=False)
    def _drop_failure_activity(self):
        """Remove what is planned: there is nothing to do any more."""
        self.sudo().failure_activity_id.unlink()

    def _plan_failure_activity(self):
        company = self.company_id or self.requester_id.company_id
        # A search leaves out what is done and kept.
        planned = self.env["mail.activity"].search_count([("id", "=", self.failure_activity_id.id)])
        if planned or not company.ai_image_failure_activity or not self.requester_id.active:
            return
        record = self._record_for_activity()
        self.failure_activity_id = record.activity_schedule(
            "mail.mail_activity_data_warning", user_id=self.requester_id.id, **self._failure_told()
        )

    def _failure_told(self):
        """Summary and note, in the requester's language."""
        request = self.with_context(lang=self.requester_id.lang)
        return request._failure_words()

    def _failure_words(self):
        link = Markup("<a href='#' data-oe-model='%s' data-oe-id='%s'>%s</a>")
        request = link % (self._name, self.id, self.display_name)
        why = self.last_error or self.error_code or "-"
        note = Markup("<p>%s</p><p>%s</p>") % (request, why)
        return {"summary": _("The image request has failed"), "note": note}

    def _record_for_activity(self):
        """The document, where it can have activities and the requester may see it; else the request itself."""
        record = self._record()
        if record is None or not hasattr(record, "activity_schedule"):
            return self
        companies = self.requester_id.company_ids.ids
        seen = record.with_user(self.requester_id).with_context(allowed_company_ids=companies)
        return record if versions.may(seen, "read") else self
