"""Self-written stand-ins for an image service and for the Odoo side, with faults on demand."""
