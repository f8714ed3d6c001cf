"""The outbox: the only sender. A row is leased, posted outside of any transaction, and noted."""

import json
import logging
import random
import time
from datetime import timedelta

import psycopg2
from odoo import api, fields, models

from . import dialects, parameters
from .actions import utc_now
from .api import Orchestrator, UnreachableError

_logger = logging.getLogger(__name__)

MOST_ROWS = 200
RUN_S = 50.0
PATIENCE_S = 15.0
NAP_S = 0.5
FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 3600.0
RETRIED = frozenset({408, 425, 429})
LEASE_MARGIN_S = 30
CLAIM_TRIES = 5


def backoff_s(attempts, retry_after_s, chance):
    """Seconds until the next try: doubling up to an hour, with jitter (`chance` 0..1), never before Retry-After."""
    wait = min(FIRST_WAIT_S * 2 ** min(max(attempts - 1, 0), 30), LONGEST_WAIT_S)
    return max(wait * (0.5 + chance / 2), retry_after_s or 0.0)


def is_retried(status):
    """Whether the same request may be taken over later."""
    return status >= 500 or status in RETRIED


class AiImageRequest(models.Model):
    _inherit = "ai.image.request"

    @api.model
    def _cron_send(self, patience_s=PATIENCE_S):
        """Send what is due, and wait up to `patience_s` for what is due soon: a later wake-up may take a minute."""
        started, rows = time.monotonic(), 0
        while rows < MOST_ROWS and time.monotonic() < started + RUN_S:
            request = self._claim("state = 'queued'")
            if request:
                request._send_leased()
                rows += 1
            elif self._due_in_s("state = 'queued'") <= started + patience_s - time.monotonic():
                time.sleep(NAP_S)
            else:
                break
        self._wake_when_due("cron_send", "state = 'queued'")

    @api.model
    def _claim(self, condition):
        """One due row that meets the SQL condition, leased: nobody else gets it while it is worked on. Commits."""
        lease_s = LEASE_MARGIN_S + 2 * max(1, parameters.number(self.env, "timeout_s"))
        for _try in range(CLAIM_TRIES):
            now = utc_now()
            try:
                self.env.flush_all()
                self.env.cr.execute(
                    f"""
                    UPDATE ai_image_request SET next_attempt_at = %s WHERE id = (
                        SELECT id FROM ai_image_request
                         WHERE ({condition}) AND (next_attempt_at IS NULL OR next_attempt_at <= %s)
                         ORDER BY CASE priority WHEN 'interactive' THEN 0 WHEN 'normal' THEN 1 ELSE 2 END, id
                         LIMIT 1 FOR UPDATE SKIP LOCKED)
                    RETURNING id
                    """,
                    [now + timedelta(seconds=lease_s), now],
                )
                found = self.env.cr.fetchone()
                self.env.cr.commit()
            except psycopg2.OperationalError:
                self.env.cr.rollback()
                continue
            self.env.invalidate_all()
            return self.browse(found) if found else self.browse()
        return self.browse()

    @api.model
    def _due_in_s(self, condition):
        """Seconds until the next row that meets the SQL condition is due; infinity where there is none. Commits."""
        self.env.cr.execute(
            f"""
            SELECT next_attempt_at FROM ai_image_request WHERE ({condition})
             ORDER BY next_attempt_at NULLS FIRST LIMIT 1
            """
        )
        found = self.env.cr.fetchone()
        self.env.cr.commit()
        if not found:
            return float("inf")
        return (found[0] - utc_now()).total_seconds() if found[0] else 0.0

    @api.model
    def _wake_when_due(self, cron, condition):
        wait_s = self._due_in_s(condition)
        if wait_s != float("inf"):
            self._wake(cron, at=fields.Datetime.now() + timedelta(seconds=max(wait_s, 0.0) + 1))
            self.env.cr.commit()

    def _send_leased(self):
        """Send one row and note the answer. Whatever goes wrong concerns this row alone."""
        answer, problem = None, ""
        try:
            body = dialects.with_secret(
                json.loads(self.payload), self.dialect, parameters.text(self.env, "security_token")
            )
            key, dialect, priority = self.request_key, self.dialect, self.priority
            orchestrator = Orchestrator(self.env)
            if not self._begun():
                return
            answer = orchestrator.send(key, dialect, body, priority)
        except UnreachableError as error:
            problem = str(error)
        except Exception as error:
            self.env.cr.rollback()
            _logger.exception("image request %s could not be sent", self.id)
            problem = type(error).__name__
        self._committed(lambda: self._note_answer(answer, problem))

    def _begun(self):
        """Count the try; whether the row is still to be sent. Commits."""
        self.env.cr.execute(
            "UPDATE ai_image_request SET attempts = COALESCE(attempts, 0) + 1 WHERE id = %s AND state = 'queued'",
            self.ids,
        )
        begun = self.env.cr.rowcount > 0
        self.env.cr.commit()
        return begun

    def _committed(self, write):
        """Write and commit; again where another transaction was faster, at last given up: the lease runs out."""
        for _try in range(CLAIM_TRIES):
            try:
                self.env.invalidate_all()
                write()
                self.env.flush_all()
                self.env.cr.commit()
            except psycopg2.OperationalError:
                self.env.cr.rollback()
            except Exception:
                self.env.cr.rollback()
                _logger.exception("image request %s: the answer could not be noted", self.id)
                return
            else:
                return

    def _note_answer(self, answer, problem):
        self._locked()
        taken = answer is not None and answer.ok
        if self.state != "queued":
            self._note_overtaken(taken, answer is None)
        elif taken:
            self._note_taken()
        elif answer is None or is_retried(answer.status):
            self._note_failed_try(problem or answer.message, answer.retry_after_s if answer else None)
        else:
            self._give_up(f"HTTP_{answer.status}", answer.message)

    def _note_taken(self):
        self.write(
            {
                "state": "sent",
                "sent_at": utc_now(),
                "next_attempt_at": False,
                "last_error": False,
                "error_code": False,
                "checks": 0,
            }
        )

    def _note_overtaken(self, taken, lost=False):
        # The outcome was faster than the acknowledgement, or the user has cancelled meanwhile.
        if taken and not self.sent_at:
            self.sent_at = utc_now()
        if (taken or lost) and self.state == "cancelled":
            self._cancel_there()

    def _note_failed_try(self, problem, retry_after_s):
        most = parameters.number(self.env, "max_tries")
        if most and self.attempts >= most:
            self._give_up("MAX_TRIES", problem)
            return
        wait_s = backoff_s(self.attempts, retry_after_s, random.random())
        self.write({"last_error": problem, "next_attempt_at": utc_now() + timedelta(seconds=wait_s)})

    def _give_up(self, code, problem):
        self.write(
            {
                "state": "failed",
                "error_code": code,
                "last_error": problem,
                "done_at": utc_now(),
                "next_attempt_at": False,
            }
        )
