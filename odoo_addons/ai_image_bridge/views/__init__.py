"""The screens. They are written for Odoo 18 and later."""

from odoo import release

if release.version_info < (18, 0):
    from . import for_odoo_17

    __all__ = ["for_odoo_17"]
