"""Where "Generate image" is offered: in the action menu of the models that the settings name."""

from odoo import _, api, models

WIZARD = "ai.image.generate"
FIRST_MODELS = ("res.partner", "product.template")
"""Where it is offered from the installation on, as far as they are there."""


class IrModel(models.Model):
    _inherit = "ir.model"

    def _offer_image_wizard(self):
        """Offer the wizard for these models and no others."""
        actions = self.env["ir.actions.act_window"].sudo().search(_offers())
        kept = actions.filtered(lambda action: action.binding_model_id in self)
        (actions - kept).unlink()
        for model in self - kept.binding_model_id:
            self._make_offer(model)

    @api.model
    def _offering_image_wizard(self):
        """The models that the wizard is offered for."""
        return self.env["ir.actions.act_window"].sudo().search(_offers()).binding_model_id

    @api.model
    def _offer_image_wizard_first(self):
        """What data files call at the installation."""
        self.search([("model", "in", FIRST_MODELS)])._offer_image_wizard()

    @api.model
    def _make_offer(self, model):
        actions = self.env["ir.actions.act_window"].sudo()
        # Up to 18 the field is called groups_id.
        groups = "group_ids" if "group_ids" in actions._fields else "groups_id"
        action = actions.create(
            {
                "name": _("Generate image"),
                "res_model": WIZARD,
                "view_mode": "form",
                "target": "new",
                "binding_model_id": model.id,
                "binding_view_types": "list,form,kanban",
                groups: [(6, 0, self.env.ref("ai_image_bridge.group_user").ids)],
            }
        )
        # With a name of this module it goes when the module goes.
        name = f"ai_image_bridge.generate_{model.model.replace('.', '_')}"
        self.env["ir.model.data"].sudo()._update_xmlids([{"xml_id": name, "record": action, "noupdate": True}])


def _offers():
    return [("res_model", "=", WIZARD), ("binding_model_id", "!=", False)]
