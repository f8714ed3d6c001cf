"""The buttons of a request."""

import json
from datetime import datetime, timezone

from odoo import _, api, models
from odoo.exceptions import UserError

from . import dialects, parameters, versions
from .api import Orchestrator, UnreachableError

ENDED = ("failed", "rejected", "cancelled")
NEVER_AGAIN = ("HTTP_400", "HTTP_409", "HTTP_413", "HTTP_422")
"""Refusals of the content: the same key with the same content would be refused again."""


def utc_now():
    """The time as Odoo stores it, with fractions of a second."""
    return datetime.now(timezone.utc).replace(tzinfo=None)


class NotDoneError(Exception):
    """The orchestrator did not do what was asked; the message is for the user."""


class AiImageRequest(models.Model):
    _inherit = "ai.image.request"

    def action_generate(self):
        """Queue the drafts; the outbox sends them once the transaction is committed."""
        versions.check_access(self, "write")
        if any(request.state != "draft" for request in self):
            raise UserError(_("Only a draft can be generated. Use Retry for what has failed."))
        self._queue()
        return True

    def action_retry(self):
        """Redrive what is parked, send again what was never taken over, queue a copy of what has ended.

        Returns the action that opens the copies, or a notification where something could not be done.
        """
        versions.check_access(self, "write")
        if any(request.state not in ENDED for request in self):
            raise UserError(_("Only what has failed, was rejected or was cancelled can be retried."))
        copies, problems = self.browse(), []
        for request in self:
            if request.parked:
                problems += request._redrive()
            elif request._may_repeat():
                request._requeue()
            else:
                copies |= request._copy_to_queue()
        return copies._opened() if copies else self._told(problems)

    def action_cancel(self):
        """Cancel at once what was not taken over yet; ask the orchestrator to cancel the rest."""
        versions.check_access(self, "write")
        if any(request.state in ("completed", *ENDED) and not request.parked for request in self):
            raise UserError(_("The request has ended: there is nothing to cancel."))
        problems = []
        for request in self.sudo():
            if request.state in ("draft", "queued"):
                request._cancel_here()
            else:
                problems += request._cancel_there()
        return self._told(problems)

    def action_open_execution(self):
        """Open the execution in the orchestrator's web interface."""
        self.ensure_one()
        if not self.execution_url:
            raise UserError(_("The address of the web interface, or the route, is missing in the settings."))
        return {"type": "ir.actions.act_url", "url": self.execution_url, "target": "new"}

    def _queue(self):
        for requester in self.requester_id:
            wanted = len(self.filtered(lambda request, user=requester: request.requester_id == user))
            self.env["ai.image.quota"].sudo()._use(requester, wanted)
        dialect = parameters.text(self.env, "dialect")
        if dialect not in dialects.PATHS:
            raise UserError(_("The dialect of the settings is unknown: %s", dialect))
        for request in self.sudo():
            body = dialects.request_body(request, dialect, self._dialect_defaults())
            request.write(
                {
                    "state": "queued",
                    "dialect": dialect,
                    "payload": json.dumps(body, ensure_ascii=False),
                    "queued_at": utc_now(),
                }
            )
        self._wake("cron_send")

    @api.model
    def _dialect_defaults(self):
        web = self.env["ir.config_parameter"].sudo().get_param("web.base.url") or ""
        return {
            "model": parameters.text(self.env, "default_model"),
            "service_type": parameters.text(self.env, "service_type"),
            "callback_base_url": parameters.text(self.env, "callback_base_url") or web,
        }

    @api.model
    def _wake(self, cron, at=None):
        self.env.ref(f"ai_image_bridge.{cron}").sudo()._trigger(at=at)

    def _may_repeat(self):
        """Whether sending the same key again cannot pay twice and can help."""
        return self.state == "failed" and not self.sent_at and self.error_code not in NEVER_AGAIN

    def _requeue(self):
        self.sudo().write(
            {
                "state": "queued",
                "attempts": 0,
                "checks": 0,
                "next_attempt_at": False,
                "last_error": False,
                "error_code": False,
                "parked": False,
                "done_at": False,
                "result_digest": False,
            }
        )
        self._wake("cron_send")

    def _copy_to_queue(self):
        copied = self.copy({"requester_id": self.requester_id.id})
        copied._queue()
        self._drop_failure_activity()
        return copied

    def _redrive(self):
        """The problems, none where the orchestrator has taken the request up again."""
        by = self.env.user.login or str(self.env.uid)
        again = {
            "state": "sent",
            "parked": False,
            "result_digest": False,
            "last_error": False,
            "error_code": False,
            "done_at": False,
            "checks": 0,
            "sent_at": utc_now(),
            "next_attempt_at": False,
        }
        request = self.sudo()._locked()
        try:
            # Written first: an outcome that comes at once then waits for this transaction, and is not overwritten.
            with self.env.cr.savepoint():
                request.write(again)
                request.flush_recordset()
                self._asked(lambda: Orchestrator(self.env).redrive(request.request_key, by[:200], "Retry in Odoo"))
        except NotDoneError as problem:
            request.invalidate_recordset()
            request.write({"next_attempt_at": False})
            self._wake("cron_reconcile")
            return [str(problem)]
        return []

    def _cancel_here(self):
        maybe_taken = self.state == "queued" and self.attempts
        self.write({"state": "cancelled", "done_at": utc_now(), "next_attempt_at": False})
        if maybe_taken:
            self._cancel_there()

    def _cancel_there(self):
        """The problems, none where the orchestrator will send the outcome."""
        try:
            answer = self._asked(lambda: Orchestrator(self.env).cancel(self.request_key), also=(404,))
        except NotDoneError as problem:
            return [str(problem)]
        if answer.status == 404 and self.state != "cancelled":
            self.write({"state": "cancelled", "parked": False, "done_at": utc_now(), "next_attempt_at": False})
        elif self.state != "cancelled":
            self.message_post(body=_("Cancellation was asked for."))
        return []

    def _asked(self, call, also=()):
        try:
            answer = call()
        except UnreachableError as error:
            raise NotDoneError(_("The orchestrator could not be asked: %s", error)) from None
        if not answer.ok and answer.status not in also:
            raise NotDoneError(_("The orchestrator refused: %s", answer.message))
        return answer

    def _opened(self):
        action = {"type": "ir.actions.act_window", "res_model": self._name, "name": _("Image requests")}
        if len(self) == 1:
            return {**action, "res_id": self.id, "views": [(False, "form")]}
        return {**action, "domain": [("id", "in", self.ids)], "views": [(False, "list"), (False, "form")]}

    @api.model
    def _told(self, problems):
        if not problems:
            return True
        params = {"type": "warning", "message": "\n".join(dict.fromkeys(problems)), "sticky": True}
        return {"type": "ir.actions.client", "tag": "display_notification", "params": params}
