"""The conversion that Odoo 17 needs, on the views as they are."""

from lxml import etree

from odoo.tests import common, tagged

from ..views.conversion import arch_17, view_mode_17


@tagged("at_install", "-post_install")
class TestConversion(common.TransactionCase):
    def test_no_view_keeps_what_odoo_17_does_not_know(self):
        views = self.env["ir.ui.view"].search([("model", "=like", "ai.image.%")])
        before, after = (
            {node.tag for view in views for node in etree.fromstring(convert(view.arch_db)).iter(etree.Element)}
            for convert in (str, arch_17)
        )
        self.assertLessEqual({"list", "chatter"}, before)
        self.assertFalse({"list", "chatter"} & after)
        self.assertIn("tree", after)

    def test_a_card_becomes_a_box_with_the_same_content(self):
        box = etree.fromstring(arch_17('<kanban><templates><t t-name="card"><b/>x<i/></t></templates></kanban>'))
        (template,) = box.iter("t")
        self.assertEqual(template.get("t-name"), "kanban-box")
        self.assertEqual([node.tag for node in template.find("div")], ["b", "i"])
        self.assertIn("x", "".join(template.itertext()))

    def test_modes_of_actions(self):
        self.assertEqual(view_mode_17("kanban,list,form"), "kanban,tree,form")
        self.assertEqual(view_mode_17("form"), "form")
