"""Where outcomes arrive."""

from . import callback

__all__ = ["callback"]
