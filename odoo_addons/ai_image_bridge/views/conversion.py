"""Views as Odoo 17 wants them, out of views for 18 and later."""

from lxml import etree

CHATTER = """
<div class="oe_chatter">
    <field name="message_follower_ids"/>
    <field name="activity_ids"/>
    <field name="message_ids"/>
</div>
"""


def view_mode_17(view_mode):
    """Modes of an action, by comma."""
    return ",".join("tree" if mode == "list" else mode for mode in view_mode.split(","))


def arch_17(arch):
    """A view's XML: up to 17 lists are called tree, a kanban's card is a kanban-box, and a chatter is spelt out."""
    root = etree.fromstring(arch)
    for node in list(root.iter("list")):
        node.tag = "tree"
    for node in list(root.iter("t")):
        if node.get("t-name") == "card":
            _make_box(node)
    for node in list(root.iter("chatter")):
        node.getparent().replace(node, etree.fromstring(CHATTER))
    return etree.tostring(root, encoding="unicode")


def _make_box(card):
    box = etree.Element("div", {"class": "oe_kanban_card oe_kanban_global_click"})
    box.text, card.text = card.text, None
    box.extend(list(card))
    card.append(box)
    card.set("t-name", "kanban-box")
