"""How many callbacks each caller made in each minute."""

import time

from odoo import api, fields, models, sql_db

from . import parameters
from .connections import SECOND_CONNECTIONS
from .versions import unique

WINDOW_S = 60
KEPT_WINDOWS = 60


class AiImageRate(models.Model):
    """One counter per caller and minute, shared by all worker processes."""

    _name = "ai.image.rate"
    _description = "AI image callback counter"
    _log_access = False

    caller = fields.Char(required=True)
    window = fields.Integer(required=True, help="Minutes since 1970.")
    count = fields.Integer(required=True, default=0)

    vars().update(unique("caller_window", 'caller, "window"', "One counter per caller and minute."))

    @api.model
    def _wait_s(self, caller):
        """Count one call; the seconds until the caller may come again, 0 = it may pass."""
        limit = parameters.number(self.env, "callback_rate_limit")
        if not limit:
            return 0
        now = int(time.time())
        # In a transaction of its own, so that parallel calls of one caller wait microseconds and never conflict.
        with SECOND_CONNECTIONS, self.pool.cursor() as cr:
            if isinstance(cr, sql_db.Cursor):
                cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            cr.execute(
                """
                INSERT INTO ai_image_rate (caller, "window", count) VALUES (%s, %s, 1)
                ON CONFLICT (caller, "window") DO UPDATE SET count = ai_image_rate.count + 1
                RETURNING count
                """,
                [caller[:100], now // WINDOW_S],
            )
            count = cr.fetchone()[0]
        return WINDOW_S - now % WINDOW_S if count > limit else 0

    @api.autovacuum
    def _gc_counters(self):
        self.env.cr.execute(
            'DELETE FROM ai_image_rate WHERE "window" < %s', [int(time.time()) // WINDOW_S - KEPT_WINDOWS]
        )
