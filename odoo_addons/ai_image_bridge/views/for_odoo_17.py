"""Odoo 17 only: the addon's views and actions are converted as they are stored."""

from odoo import api, models

from .conversion import arch_17, view_mode_17


def _is_ours(model):
    return (model or "").startswith("ai.image.")


class View(models.Model):
    _inherit = "ir.ui.view"

    @api.model_create_multi
    def create(self, vals_list):
        return super().create([_converted(values, values.get("model")) for values in vals_list])

    def write(self, vals):
        models_of_all = set(self.mapped("model"))
        return super().write(_converted(vals, models_of_all.pop() if len(models_of_all) == 1 else None))


class Action(models.Model):
    _inherit = "ir.actions.act_window"

    @api.model_create_multi
    def create(self, vals_list):
        return super().create([_with_modes(values, values.get("res_model")) for values in vals_list])

    def write(self, vals):
        return super().write(_with_modes(vals, vals.get("res_model")))


def _converted(values, model):
    named = [name for name in ("arch", "arch_base") if values.get(name)] if _is_ours(model) else []
    return {**values, **{name: arch_17(values[name]) for name in named}}


def _with_modes(values, model):
    if not _is_ours(model) or not values.get("view_mode"):
        return values
    return {**values, "view_mode": view_mode_17(values["view_mode"])}
