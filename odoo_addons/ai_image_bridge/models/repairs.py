"""What a reconciliation by the orchestrator orders. Each looks first, under a lock, so that it may be done twice."""

from odoo import _, models
from odoo.exceptions import AccessError

from . import versions


class AiImageRequest(models.Model):
    _inherit = "ai.image.request"

    def action_resend(self):
        """Queue again, under the same key, what was sent and has no outcome; returns the ids of what was queued.

        Only for requests that the orchestrator does not know.
        """
        lost = self._for_repair().filtered(lambda one: one.state in ("sent", "processing") and not one.result_digest)
        for request in lost:
            request._requeue()
            request._say(_("The orchestrator does not know this request: it is sent again under the same key."))
        return lost.ids

    def action_reopen(self):
        """Have what is completed take the same outcome once more; returns the ids of what was opened."""
        done = self._for_repair().filtered(lambda one: one.state == "completed")
        done.write({"state": "processing", "result_digest": False, "done_at": False})
        return done.ids

    def _for_repair(self):
        versions.check_access(self, "write")
        user = self.env.user
        groups = ("ai_image_bridge.group_bot", "ai_image_bridge.group_manager")
        if not self.env.su and not any(user.has_group(group) for group in groups):
            raise AccessError(_("Only a manager or the orchestrator may repair requests."))
        return self.sudo()._locked()
