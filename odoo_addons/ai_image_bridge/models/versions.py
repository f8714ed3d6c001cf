"""What Odoo 17, 18 and 19 call differently."""

from odoo import models
from odoo.exceptions import AccessError


def unique(name, columns, message):
    """The class attributes that make a unique constraint; `vars().update(unique(...))` in the class body sets them."""
    if hasattr(models, "Constraint"):
        return {f"_{name}": models.Constraint(f"UNIQUE({columns})", message)}
    return {"_sql_constraints": [(name, f"UNIQUE({columns})", message)]}


def check_access(records, operation):
    """Raise `AccessError` unless the user may do `operation` with the records."""
    if hasattr(records, "check_access"):
        records.check_access(operation)
    else:
        records.check_access_rights(operation)
        records.check_access_rule(operation)


def may(records, operation):
    """Whether the user may do `operation` with the records."""
    try:
        check_access(records, operation)
    except AccessError:
        return False
    return True
