"""The template for translators."""

from pathlib import Path

import polib

from odoo.tools.translate import TranslationModuleReader

from .common import BridgeCase

TEMPLATE = Path(__file__).parents[1] / "i18n" / "ai_image_bridge.pot"


class TestTemplate(BridgeCase):
    def test_it_holds_what_is_said(self):
        rows = TranslationModuleReader(self.env.cr, modules=["ai_image_bridge"])
        said = {(row[2], row[4]) for row in rows}
        known = {entry.msgid for entry in polib.pofile(str(TEMPLATE))}
        self.assertLessEqual(known, {text for _where, text in said}, "export the template anew")
        # Other modules give our models fields of theirs.
        ours = {text for where, text in said if not where.startswith("ir.model.fields,")}
        self.assertLessEqual(ours, known, "export the template anew")
