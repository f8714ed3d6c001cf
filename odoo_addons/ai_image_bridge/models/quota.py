"""How many requests each user may queue a day, counted in UTC."""

from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from . import parameters
from .versions import unique

KEPT_DAYS = 7


class AiImageQuota(models.Model):
    """One counter per user and day."""

    _name = "ai.image.quota"
    _description = "AI images queued by a user on a day"
    _log_access = False

    user_id = fields.Many2one("res.users", required=True, ondelete="cascade")
    day = fields.Date(required=True, help="In UTC.")
    count = fields.Integer(required=True, default=0)

    vars().update(unique("user_day", "user_id, day", "One counter per user and day."))

    @api.model
    def _use(self, user, wanted):
        """Count `wanted` more requests of the user; raises `UserError` where the quota does not hold them.

        Two transactions of one user at once: PostgreSQL refuses the second and Odoo runs it again.
        """
        quota = parameters.number(self.env, "daily_quota")
        if not quota:
            return
        self.env.cr.execute(
            """
            INSERT INTO ai_image_quota (user_id, day, count) VALUES (%s, %s, %s)
            ON CONFLICT (user_id, day) DO UPDATE SET count = ai_image_quota.count + EXCLUDED.count
            RETURNING count
            """,
            [user.id, fields.Datetime.now().date(), wanted],
        )
        used = self.env.cr.fetchone()[0]
        if used > quota:
            raise UserError(
                _(
                    "The daily quota of %(quota)s images is used up: %(left)s left. It begins anew at midnight UTC.",
                    quota=quota,
                    left=max(quota - used + wanted, 0),
                )
            )

    @api.autovacuum
    def _gc_counters(self):
        oldest = fields.Datetime.now().date() - timedelta(days=KEPT_DAYS)
        self.env.cr.execute("DELETE FROM ai_image_quota WHERE day < %s", [oldest])
