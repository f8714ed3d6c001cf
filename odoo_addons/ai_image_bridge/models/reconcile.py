"""Asking the orchestrator about requests whose outcome is missing, and repairing what has drifted apart."""

import logging
import random
from datetime import timedelta

from odoo import _, api, models

from . import parameters
from .actions import utc_now
from .api import Orchestrator, UnreachableError
from .outbox import MOST_ROWS

_logger = logging.getLogger(__name__)

FIRST_CHECK_S, LONGEST_CHECK_S = 300.0, 3600.0
DELIVERED_CHECKS = 5
UNKNOWN = "no request with this id"
"""In the orchestrator's 404: any other 404 is a proxy's, or the interface is off."""
ENDED = {
    "rejected": ("rejected", "INPUT_VALIDATION_ERROR"),
    "cancelled": ("cancelled", "CANCELLED"),
    "discarded": ("cancelled", "DISCARDED"),
    "expired": ("failed", "EXPIRED"),
}


def check_s(checks, chance):
    """Seconds until the next check: doubling from five minutes up to an hour, with jitter (`chance` 0..1)."""
    return min(FIRST_CHECK_S * 2 ** min(checks, 10), LONGEST_CHECK_S) * (0.5 + chance / 2)


class AiImageRequest(models.Model):
    _inherit = "ai.image.request"

    @api.model
    def _cron_reconcile(self):
        """Ask for every outcome that is overdue, and for what is parked."""
        minutes = parameters.number(self.env, "result_deadline_min")
        for _row in range(MOST_ROWS):
            overdue = utc_now() - timedelta(minutes=minutes)
            condition = self.env.cr.mogrify(
                "parked OR (state IN ('sent', 'processing') AND pending_images IS NULL AND sent_at <= %s)", [overdue]
            ).decode()
            request = self._claim(condition)
            if not request or not request._check_leased():
                break

    def _check_leased(self):
        """Ask about one row and repair it; whether the orchestrator answered at all."""
        key, orchestrator = self.request_key, Orchestrator(self.env)
        self.env.cr.commit()
        try:
            answer = orchestrator.state(key)
        except UnreachableError as error:
            problem = str(error)
            self._committed(lambda: self._note_unchecked(problem))
            return False
        self._committed(lambda: self._note_state(answer))
        return answer.status < 500

    def _note_state(self, answer):
        self._locked()
        if not (self.parked or self.state in ("sent", "processing")) or self.pending_images:
            return
        if answer.status == 404 and UNKNOWN in answer.message:
            self._note_unknown()
        elif not answer.ok or not isinstance(answer.content.get("status"), str):
            self._note_unchecked(answer.message)
        elif answer.content["status"] == "RUNNING":
            self._note_running(answer.content)
        else:
            self._note_ended(answer.content)

    def _note_unchecked(self, problem):
        self._check_later(last_error=_("Asked for the outcome: %s", problem))

    def _note_unknown(self):
        if self.parked:
            self.write({"parked": False, "next_attempt_at": False})
            return
        self._requeue()
        self.message_post(body=_("The orchestrator does not know this request: it is sent again under the same key."))

    def _note_running(self, content):
        parked = content.get("parked")
        if isinstance(parked, dict):
            failure = parked.get("failure") if isinstance(parked.get("failure"), dict) else {}
            code = content.get("failure_code") or "UNKNOWN_ERROR"
            message = str(failure.get("message") or "")[:500]
            self._check_later(state="failed", parked=True, error_code=str(code)[:100], last_error=message)
        else:
            self._check_later(state="processing", parked=False, last_error=False, error_code=False)

    def _note_ended(self, content):
        outcome = str(content.get("outcome") or "")[:40]
        if outcome == "completed":
            self._note_completed()
            return
        state, code = ENDED.get(outcome, ("failed", "N8N_WORKFLOW_FAILURE"))
        self.write(
            {
                "state": state,
                "parked": False,
                "error_code": str(content.get("failure_code") or code)[:100] if state != "cancelled" else code,
                "last_error": _("The orchestrator ended it: %s", outcome or content["status"].lower()),
                "done_at": utc_now(),
                "next_attempt_at": False,
            }
        )

    def _note_completed(self):
        # The outcome may be on its way. If it is not, only a new delivery by the orchestrator brings the image.
        if self.checks + 1 < DELIVERED_CHECKS:
            self._check_later(state="processing", parked=False)
        else:
            self._check_later(
                state="processing",
                parked=False,
                last_error=_("The orchestrator says completed, but no image has arrived: have it delivered again."),
            )

    def _check_later(self, **values):
        wait_s = check_s(self.checks, random.random())
        values |= {"checks": self.checks + 1, "next_attempt_at": utc_now() + timedelta(seconds=wait_s)}
        self.write({name: value for name, value in values.items() if self[name] != value})
