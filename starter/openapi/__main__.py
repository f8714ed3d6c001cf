"""`python -m starter.openapi > docs/openapi.json`: the description of the example configuration."""

from __future__ import annotations

import sys

from runtime.configuration import load_settings
from runtime.reference import EXAMPLE
from starter.openapi.document import rendered

if __name__ == "__main__":
    sys.stdout.write(rendered(load_settings(EXAMPLE)))
