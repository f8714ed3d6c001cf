"""One generated image of a request."""

from odoo import fields, models

from .versions import unique


class AiImageResult(models.Model):
    """The image itself is an attachment of the request; here stands what is known of it."""

    _name = "ai.image.result"
    _description = "Generated AI image"
    _order = "request_id desc, index, id"
    _rec_name = "sha256"

    request_id = fields.Many2one("ai.image.request", required=True, ondelete="cascade", index=True)
    index = fields.Integer(help="Place among the images of the request, from 0.")
    attachment_id = fields.Many2one("ir.attachment", required=True, ondelete="cascade")
    image = fields.Binary(related="attachment_id.datas", string="Image")
    sha256 = fields.Char("SHA-256", help="Of the image's bytes, in hexadecimal.")
    size = fields.Integer("Size (bytes)")
    mimetype = fields.Char("Media Type")
    width = fields.Integer("Width (px)")
    height = fields.Integer("Height (px)")
    cost = fields.Float(digits=(16, 6))
    currency = fields.Char(help="ISO 4217.")
    seed = fields.Char(help="Text, because seeds may have more digits than an integer field holds.")
    service = fields.Char(help="The image service or model that made it.")

    vars().update(unique("request_image", "request_id, sha256", "A request has the same image only once."))
