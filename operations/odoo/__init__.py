"""A real Odoo with our addon on this machine: what the end-to-end tests and `demo --odoo` share."""
