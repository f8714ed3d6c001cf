"""What Odoo's buttons and operators ask over HTTP, and the operations behind it."""
