"""Images that came as a URL: downloaded by a cron, so that the callback is answered at once."""

import hashlib
import json
import random
from datetime import timedelta

from odoo import _, api, models

from . import api as orchestrator_api
from . import images, parameters
from .actions import utc_now
from .outbox import MOST_ROWS, backoff_s, is_retried
from .outcomes import ImageTold

MOST_TRIES = 10
CONDITION = "pending_images IS NOT NULL"


class BadImageError(Exception):
    """The image cannot be had, now (`final` False) or ever; the message is one line."""

    def __init__(self, reason, final):
        super().__init__(reason)
        self.final = final


class AiImageRequest(models.Model):
    _inherit = "ai.image.request"

    @api.model
    def _cron_fetch(self):
        """Download the images that outcomes have named."""
        bot = self.with_user(self.env.ref("ai_image_bridge.user_bot"))
        for _row in range(MOST_ROWS):
            request = self._claim(CONDITION)
            if not request:
                break
            request._fetch_leased(bot)
        self._wake_when_due("cron_fetch", CONDITION)

    def _fetch_leased(self, bot):
        text = self.pending_images
        if not text:
            return
        limit = parameters.number(self.env, "body_limit_mb") * 2**20
        timeout_s = max(1, parameters.number(self.env, "timeout_s"))
        allowed = orchestrator_api.image_origins(self.env)
        self.env.cr.commit()
        pending, got, problem = json.loads(text), [], None
        try:
            got = [_fetched(image, allowed, limit, timeout_s) for image in pending["images"]]
        except BadImageError as error:
            problem = error
        request = bot.browse(self.id)
        self._committed(lambda: request._note_fetched(text, pending, got, problem))

    def _note_fetched(self, text, pending, got, problem):
        self._locked()
        if self.sudo().pending_images != text:
            return
        if problem is None:
            self._note_images(got)
        elif problem.final or pending["tries"] + 1 >= MOST_TRIES:
            self._note_lost(str(problem))
        else:
            tries = pending["tries"] + 1
            wait_s = backoff_s(tries, None, random.random())
            self.write(
                {
                    "pending_images": json.dumps({**pending, "tries": tries}),
                    "next_attempt_at": utc_now() + timedelta(seconds=wait_s),
                    "last_error": str(problem),
                }
            )

    def _note_images(self, got):
        kept = self.state == "cancelled"
        stored = self._store_images(got)
        values = {"pending_images": False, "next_attempt_at": False, "last_error": False}
        self._write_outcome(values if kept else {**values, "state": "completed"})
        if stored:
            self._say_stored(stored, kept)

    def _note_lost(self, problem):
        # Without a digest, so that the same outcome is taken when it is delivered again with fresh URLs.
        values = {"pending_images": False, "next_attempt_at": False, "last_error": problem, "result_digest": False}
        if self.state != "cancelled":
            values |= {"state": "failed", "error_code": "IMAGE_EXTRACTION_FAILURE"}
        self._write_outcome(values)
        self._say(_("The image could not be downloaded: %s", problem))


def _fetched(image, allowed, limit, timeout_s):
    """(index, what was told, bytes) of one pending image; raises `BadImageError`."""
    if orchestrator_api.origin(image["url"]) not in allowed:
        raise BadImageError("the image's origin is not allowed any more", final=True)
    try:
        status, data = orchestrator_api.download(image["url"], limit, timeout_s)
    except orchestrator_api.UnreachableError as error:
        raise BadImageError(str(error), final=False) from None
    if status != 200:
        raise BadImageError(f"HTTP {status}", final=not is_retried(status))
    digest = hashlib.sha256(data).hexdigest()
    if image["sha256"] and image["sha256"] != digest:
        raise BadImageError("the image does not have the SHA-256 that was told", final=False)
    if not images.look(data):
        raise BadImageError("what was downloaded is no PNG, JPEG, GIF, WebP or AVIF image", final=True)
    return image["index"], ImageTold(data, image["url"], digest, image["facts"]), data
