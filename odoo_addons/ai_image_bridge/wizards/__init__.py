"""What people open from other records, and where it is offered."""

from . import binding, generate, settings, use_image

__all__ = ["binding", "generate", "settings", "use_image"]
