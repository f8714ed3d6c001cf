"""A request for images: what is asked, for which record, and where it stands."""

import json
import re
import uuid
from urllib.parse import quote

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

from . import parameters, versions

OPEN_STATES = ("queued", "sent", "processing")
STATES = [
    ("draft", "Draft"),
    ("queued", "Queued"),
    ("sent", "Sent"),
    ("processing", "Processing"),
    ("completed", "Completed"),
    ("failed", "Failed"),
    ("rejected", "Rejected"),
    ("cancelled", "Cancelled"),
]
DIALECTS = [
    ("event", "Event"),
    ("correlation", "Correlation"),
    ("request", "Request"),
    ("adapter", "Adapter"),
    ("endpoint", "Endpoint"),
]
PARAMETER_FIELDS = (
    "prompt",
    "negative_prompt",
    "model_name",
    "resolution",
    "aspect_ratio",
    "seed",
    "inference_steps",
    "cfg_scale",
    "campaign",
    "priority",
    "custom_params",
)
CONTENT_FIELDS = frozenset({*PARAMETER_FIELDS, "res_model", "res_id", "requester_id", "company_id"})
RESULT_FIELDS = frozenset(
    {"state", "done_at", "last_error", "error_code", "parked", "result_digest", "pending_images", "next_attempt_at"}
)
PROTECTED_FIELDS = RESULT_FIELDS | {
    "request_key",
    "dialect",
    "payload",
    "attempts",
    "checks",
    "queued_at",
    "sent_at",
    "image_ids",
    "failure_activity_id",
}
NOT_STARTED = {
    **dict.fromkeys(PROTECTED_FIELDS - {"request_key", "payload", "pending_images", "image_ids"}, False),
    "state": "draft",
    "attempts": 0,
    "checks": 0,
}
"""What a request begins with, whoever makes it."""
CHANGED = "ai_image_bridge.request_changed"
"""Type of the bus notification to the requester: {id, state, image_count}."""
_RESOLUTION = re.compile("[1-9][0-9]{0,4}x[1-9][0-9]{0,4}")
_RATIO = re.compile("[1-9][0-9]{0,3}:[1-9][0-9]{0,3}")
_SEED = re.compile("-?[0-9]{1,18}")
_DISPLAYED = 60


class AiImageRequest(models.Model):
    """An image request. Written by the business transaction; sent by the outbox, answered by the inbox."""

    _name = "ai.image.request"
    _description = "AI image request"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "id desc"

    prompt = fields.Text(required=True)
    negative_prompt = fields.Text()
    model_name = fields.Char("Model")
    resolution = fields.Char(default="1024x1024", help="Width x height in pixels, as 1024x1024.")
    aspect_ratio = fields.Char(help="As 16:9.")
    seed = fields.Char(help="An integer; blank = the service chooses.")
    inference_steps = fields.Integer("Steps", help="0 = the service chooses.")
    cfg_scale = fields.Float("CFG Scale", help="0 = the service chooses.")
    campaign = fields.Char()
    priority = fields.Selection(
        [("interactive", "Interactive"), ("normal", "Normal"), ("bulk", "Bulk")],
        default="normal",
        required=True,
        help="What is sent first.",
    )
    custom_params = fields.Text("Custom Parameters", help="A JSON object that is passed on to the image service.")

    res_model = fields.Char("Document Model", index=True)
    res_id = fields.Many2oneReference("Document ID", model_field="res_model", index=True)
    record_ref = fields.Reference(
        selection="_selection_record_models", compute="_compute_record_ref", string="Document"
    )
    requester_id = fields.Many2one(
        "res.users", required=True, default=lambda self: self.env.user, index=True, ondelete="restrict"
    )
    company_id = fields.Many2one("res.company", default=lambda self: self.env.company, index=True)

    state = fields.Selection(
        STATES,
        default="draft",
        required=True,
        readonly=True,
        index=True,
        copy=False,
        tracking=True,
        group_expand="_expand_states",
    )
    request_key = fields.Char(
        required=True, readonly=True, copy=False, default=lambda self: str(uuid.uuid4()), help="The id on the wire."
    )
    dialect = fields.Selection(DIALECTS, copy=False, readonly=True, help="Fixed when the request is queued.")
    payload = fields.Text(
        copy=False,
        readonly=True,
        groups="base.group_system",
        help="The body as it is sent, fixed when the request is queued: one key always carries one content.",
    )
    attempts = fields.Integer(copy=False, readonly=True, help="How often it was sent.")
    next_attempt_at = fields.Datetime(
        copy=False, readonly=True, help="When it is sent, asked for, or downloaded next; empty = at once."
    )
    queued_at = fields.Datetime(copy=False, readonly=True)
    sent_at = fields.Datetime(copy=False, readonly=True, help="When the orchestrator took it over.")
    done_at = fields.Datetime(copy=False, readonly=True)
    last_error = fields.Char(copy=False, readonly=True)
    error_code = fields.Char(copy=False, readonly=True)
    parked = fields.Boolean(
        copy=False, readonly=True, help="The orchestrator holds it as a dead letter: Retry takes it up again."
    )
    checks = fields.Integer(copy=False, readonly=True, help="How often its missing outcome was asked for.")
    pending_images = fields.Text(
        copy=False,
        readonly=True,
        groups="base.group_system,ai_image_bridge.group_bot",
        help="Images of the outcome that are still to download.",
    )
    result_digest = fields.Char(copy=False, readonly=True, help="SHA-256 of the accepted outcome.")
    execution_url = fields.Char(compute="_compute_execution_url", string="Execution")
    image_ids = fields.One2many("ai.image.result", "request_id", "Images", copy=False, readonly=True)
    image_count = fields.Integer(compute="_compute_image_count", string="Image Count")
    image = fields.Binary(compute="_compute_image", string="Image")

    vars().update(versions.unique("request_key", "request_key", "The request key must be unique."))

    def init(self):
        """Indexes for the crons: few rows are due among very many that are done."""
        for name, condition in (
            ("due", "state = 'queued'"),
            ("unanswered", "state IN ('sent', 'processing') OR parked"),
            ("pending", "pending_images IS NOT NULL"),
        ):
            self.env.cr.execute(
                f"CREATE INDEX IF NOT EXISTS ai_image_request_{name}_idx"
                f" ON ai_image_request (next_attempt_at) WHERE {condition}"
            )

    @api.model
    def _expand_states(self, *_args):
        return [state for state, _label in STATES]

    @api.model
    def _selection_record_models(self):
        return [(model.model, model.name) for model in self.env["ir.model"].sudo().search([])]

    @api.depends("res_model", "res_id")
    @api.depends_context("uid")
    def _compute_record_ref(self):
        for request in self:
            record = request._record()
            readable = record is not None and versions.may(record, "read")
            request.record_ref = f"{record._name},{record.id}" if readable else False

    def _record(self):
        """The record that the request belongs to, or None."""
        self.ensure_one()
        if not self.res_model or not self.res_id or self.res_model not in self.env:
            return None
        return self.env[self.res_model].browse(self.res_id).exists() or None

    @api.depends("image_ids")
    def _compute_image_count(self):
        for request in self:
            request.image_count = len(request.image_ids)

    # Apart from the count, which every change of state asks for: this one reads the bytes.
    @api.depends("image_ids.attachment_id")
    def _compute_image(self):
        for request in self:
            request.image = request.image_ids[:1].image

    @api.depends("request_key", "queued_at")
    def _compute_execution_url(self):
        ui_url, route = parameters.text(self.env, "ui_url").rstrip("/"), parameters.text(self.env, "route")
        namespace = quote(parameters.text(self.env, "ui_namespace"), safe="")
        for request in self:
            known = ui_url and route and request.queued_at
            workflow = quote(f"{route}/{request.request_key}", safe="")
            request.execution_url = f"{ui_url}/namespaces/{namespace}/workflows/{workflow}" if known else False

    @api.depends("prompt")
    def _compute_display_name(self):
        for request in self:
            first = " ".join((request.prompt or "").split())
            request.display_name = first if len(first) <= _DISPLAYED else f"{first[: _DISPLAYED - 1]}…"

    @api.constrains("custom_params")
    def _check_custom_params(self):
        for request in self.filtered("custom_params"):
            try:
                content = json.loads(request.custom_params)
                # Neither NaN nor half a surrogate pair can be sent.
                json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
            except (ValueError, RecursionError):
                content = None
            if not isinstance(content, dict):
                raise ValidationError(_("Custom parameters must be a JSON object."))

    @api.constrains("prompt", "resolution", "aspect_ratio", "seed", "inference_steps", "cfg_scale")
    def _check_parameters(self):
        for request in self:
            if not request.prompt.strip():
                raise ValidationError(_("The prompt must not be empty."))
            if request.resolution and not _RESOLUTION.fullmatch(request.resolution):
                raise ValidationError(_("The resolution must be width x height, as 1024x1024."))
            if request.aspect_ratio and not _RATIO.fullmatch(request.aspect_ratio):
                raise ValidationError(_("The aspect ratio must be as 16:9."))
            if request.seed and not _SEED.fullmatch(request.seed):
                raise ValidationError(_("The seed must be an integer of at most 18 digits."))
            if request.inference_steps < 0 or not 0 <= request.cfg_scale < float("inf"):
                raise ValidationError(_("Steps and CFG scale must be numbers, and not negative."))

    @api.model_create_multi
    def create(self, vals_list):
        for values in vals_list:
            self._check_fields(values)
        if self.env.su:
            return super().create(vals_list)
        # Given, they are not taken from the defaults, which the context and each user may name.
        fresh = [{**values, **NOT_STARTED, "request_key": str(uuid.uuid4())} for values in vals_list]
        requests = super().create(fresh)
        if any(request.payload or request.pending_images or request.image_ids for request in requests.sudo()):
            raise AccessError(_("Set by the requests themselves only: %s", "payload, pending_images, image_ids"))
        return requests

    def write(self, vals):
        self._check_fields(vals)
        if CONTENT_FIELDS & set(vals) and any(request.state != "draft" for request in self):
            raise UserError(_("Only a draft can be changed: what was queued is what is sent. Make a copy."))
        written = super().write(vals)
        if "state" in vals:
            self._notify_changed()
        return written

    def _check_fields(self, values):
        if self.env.su:
            return
        forbidden = PROTECTED_FIELDS & set(values)
        if self.env.user.has_group("ai_image_bridge.group_bot"):
            forbidden = set(values) - RESULT_FIELDS
        if forbidden:
            raise AccessError(_("Set by the requests themselves only: %s", ", ".join(sorted(forbidden))))

    def _notify_changed(self):
        """Tell the requesters' open screens."""
        bus = self.env["bus.bus"].sudo()
        for request in self.sudo():
            content = {"id": request.id, "state": request.state, "image_count": request.image_count}
            bus._sendone(request.requester_id.partner_id, CHANGED, content)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_open(self):
        if any(request.state in OPEN_STATES for request in self):
            raise UserError(_("Cancel the request first: it is still under way."))

    def _locked(self):
        """The same requests, locked until the end of the transaction and read anew."""
        self.env.flush_all()
        # Not logged: where another transaction was faster, whoever called tries again.
        query = "SELECT id FROM ai_image_request WHERE id IN %s ORDER BY id FOR UPDATE"
        self.env.cr.execute(query, [tuple(self.ids) or (0,)], log_exceptions=False)
        self.invalidate_recordset()
        return self
