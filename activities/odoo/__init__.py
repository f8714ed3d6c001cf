"""Odoo without an addon of ours: reading its records and writing to them through its external interface."""
