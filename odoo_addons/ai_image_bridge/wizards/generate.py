"""The wizard "Generate image", for any records."""

import json

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..models import versions

PARAMETERS = ("negative_prompt", "model_name", "resolution", "aspect_ratio", "seed", "campaign", "priority")
"""Fields that are passed on as they are; they are those of the request."""
NAME = "{name}"
MOST_RECORDS = 200


class AiImageGenerate(models.TransientModel):
    """One request for each of the records that it was opened from; one of its own where it was opened from none."""

    _name = "ai.image.generate"
    _description = "Generate AI images"

    res_model = fields.Char(readonly=True)
    res_ids = fields.Char(readonly=True, help="JSON list.")
    records_name = fields.Char("For", compute="_compute_records_name")
    records_count = fields.Integer(compute="_compute_records_name")
    prompt = fields.Text(required=True)
    negative_prompt = fields.Text()
    model_name = fields.Char("Model")
    resolution = fields.Char(default="1024x1024")
    aspect_ratio = fields.Char()
    seed = fields.Char()
    campaign = fields.Char()
    priority = fields.Selection(
        selection=lambda self: self.env["ai.image.request"]._fields["priority"].selection,
        default="normal",
        required=True,
    )

    @api.model
    def default_get(self, fields_list):
        values = super().default_get(fields_list)
        model = self.env.context.get("active_model")
        ids = self.env.context.get("active_ids") or [self.env.context.get("active_id")]
        if model in self.env and any(ids):
            values.update(res_model=model, res_ids=json.dumps([each for each in ids if each]))
        return values

    @api.depends("res_model", "res_ids")
    def _compute_records_name(self):
        for wizard in self:
            records = wizard._records()
            names = [record.display_name for record in records[:3]] if records is not None else []
            more = len(records) - len(names) if names else 0
            wizard.records_count = len(names) + more
            wizard.records_name = ", ".join(names) + (_(" and %s more", more) if more else "")

    def action_generate(self):
        """Create and queue the requests; returns the action that opens them."""
        self.ensure_one()
        shared = {name: self[name] for name in PARAMETERS}
        requests = self.env["ai.image.request"].create([{**shared, **each} for each in self._wanted()])
        requests.action_generate()
        return requests._opened()

    def _wanted(self):
        """What the requests have each of their own."""
        records = self._records()
        if records is None:
            return [{"prompt": self.prompt}]
        if not records:
            raise UserError(_("The record is gone."))
        if len(records) > MOST_RECORDS:
            raise UserError(_("At most %s records at once.", MOST_RECORDS))
        return [self._of(record) for record in records]

    def _of(self, record):
        prompt = self.prompt.replace(NAME, record.display_name or "")
        return {"prompt": prompt, "res_model": record._name, "res_id": record.id}

    def _records(self):
        """The records that there still are and that the user may read, or None."""
        if not self.res_model or self.res_model not in self.env:
            return None
        records = self.env[self.res_model].browse(json.loads(self.res_ids or "[]")).exists()
        versions.check_access(records, "read")
        return records
