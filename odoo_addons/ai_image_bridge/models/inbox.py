"""The inbox: outcomes are written once, whatever arrives how often and in which order."""

import json
from datetime import timedelta

from markupsafe import Markup

from odoo import _, api, models

from . import api as orchestrator_api
from . import images
from .actions import utc_now
from .wire_fields import RefusedError

NOT_PARKED = {"INPUT_VALIDATION_ERROR": "rejected", "CONTENT_REJECTED": "rejected", "CANCELLED": "cancelled"}
PARKED_CHECK_S = 3600


class AiImageRequest(models.Model):
    _inherit = "ai.image.request"

    @api.model
    def _receive(self, outcome):
        """Write an outcome with the bot's rights; returns "written", "duplicate" or "kept".

        Raises `RefusedError`: 404 unknown, 409 other content after completion, 422 a URL that may not be fetched.
        """
        request = self._locked_by_key(outcome.key)
        if not request:
            raise RefusedError(404, "there is no request with this id")
        if request.result_digest == outcome.digest:
            return "duplicate"
        # While its images are downloaded a success is accepted already; another success may bring fresh URLs.
        accepted = request.state == "processing" and request.pending_images
        if request.state == "completed" or (accepted and not outcome.completed):
            raise RefusedError(409, "the request was completed with other content")
        if request.state == "draft":
            raise RefusedError(409, "the request was never sent")
        if outcome.completed:
            return request._receive_images(outcome)
        return request._receive_failure(outcome)

    @api.model
    def _locked_by_key(self, key):
        self.env.flush_all()
        # Not logged: where another transaction was faster, Odoo runs the whole callback again.
        query = "SELECT id FROM ai_image_request WHERE request_key = %s FOR UPDATE"
        self.env.cr.execute(query, [key], log_exceptions=False)
        found = self.env.cr.fetchone()
        request = self.browse(found)
        request.invalidate_recordset()
        return request

    def _receive_failure(self, outcome):
        if self.state == "cancelled":
            self.write({"result_digest": outcome.digest})
            return "kept"
        state = NOT_PARKED.get(outcome.code, "failed")
        parked = state == "failed" and outcome.code != "EXPIRED"
        self._write_outcome(
            {
                "state": state,
                "parked": parked,
                "error_code": outcome.code,
                "last_error": outcome.message,
                "result_digest": outcome.digest,
                "next_attempt_at": utc_now() + timedelta(seconds=PARKED_CHECK_S) if parked else False,
                "pending_images": False,
            }
        )
        self._say(_("No image: %(message)s (%(code)s)", message=outcome.message or "-", code=outcome.code))
        return "written"

    def _receive_images(self, outcome):
        self._check_origins(outcome)
        kept = self.state == "cancelled"
        stored = self._store_images(
            [(index, told, told.data) for index, told in enumerate(outcome.images) if told.data]
        )
        pending = [
            {"index": index, "url": told.url, "sha256": told.sha256, "facts": told.facts}
            for index, told in enumerate(outcome.images)
            if not told.data
        ]
        values = {"result_digest": outcome.digest, "next_attempt_at": False, "pending_images": False}
        if pending:
            values["pending_images"] = json.dumps({"tries": 0, "images": pending})
            self._wake("cron_fetch")
        if not kept:
            values |= {"state": "processing" if pending else "completed", "parked": False}
            values |= {"error_code": False, "last_error": False}
        self._write_outcome(values)
        if stored:
            self._say_stored(stored, kept)
        return "kept" if kept else "written"

    def _check_origins(self, outcome):
        urls = [told.url for told in outcome.images if told.url]
        allowed = orchestrator_api.image_origins(self.env) if urls else set()
        for url in urls:
            if orchestrator_api.origin(url) not in allowed:
                raise RefusedError(
                    422, "the image's URL is not one of the orchestrator's: see the setting image origins"
                )

    def _write_outcome(self, values):
        if values.get("state") in ("completed", "failed", "rejected", "cancelled"):
            values = {**values, "done_at": utc_now()}
        # What happened is said in one message of our own.
        self.with_context(mail_notrack=True).write(values)

    def _store_images(self, told):
        """Attach images given as (index, what was told, bytes); the same image only once. Returns the new results."""
        results = self.env["ai.image.result"]
        known = set(results.search([("request_id", "=", self.id)]).mapped("sha256"))
        for index, image, data in told:
            if image.sha256 not in known:
                known.add(image.sha256)
                results |= self._store_image(index, image, data)
        return results

    def _store_image(self, index, image, data):
        seen = images.look(data)
        attachment = (
            self.env["ir.attachment"]
            .sudo()
            # Odoo would shrink large images: then they were not what was delivered.
            .with_context(image_no_postprocess=True)
            .create(
                {
                    "name": f"{self.request_key}-{index + 1}.{seen.extension}",
                    "res_model": self._name,
                    "res_id": self.id,
                    "raw": data,
                    "mimetype": seen.mimetype,
                }
            )
        )
        facts = image.facts
        return self.env["ai.image.result"].create(
            {
                "request_id": self.id,
                "index": index,
                "attachment_id": attachment.id,
                "sha256": image.sha256,
                "size": len(data),
                "mimetype": seen.mimetype,
                "width": seen.width or facts["width"],
                "height": seen.height or facts["height"],
                "cost": facts["cost"],
                "currency": facts["currency"],
                "seed": facts["seed"],
                "service": facts["service"],
            }
        )

    def _say_stored(self, stored, kept):
        text = _("%s image(s) arrived.", len(stored))
        if kept:
            text += " " + _("The request stays cancelled.")
        self._say(text, stored.attachment_id.ids)

    def _say(self, text, attachment_ids=()):
        self.sudo().message_post(
            body=Markup("<p>%s</p>") % text,
            author_id=self.env.ref("ai_image_bridge.user_bot").sudo().partner_id.id,
            attachment_ids=list(attachment_ids),
            message_type="notification",
            subtype_xmlid="mail.mt_note",
        )
