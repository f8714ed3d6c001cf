"""The imported settings as a TOML file for people: sections in order, with what to know above each."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import tomli_w

from operations.n8n_import.importing import Imported

_HEAD = """\
# Made from an n8n export by: orchestrator import-n8n. What to supply and what to check stands in its report.
# A route's name is part of every workflow id: never rename a live one.
"""


def to_toml(imported: Imported) -> str:
    """The file. It loads as it stands."""
    return "\n".join([_HEAD, *_parts(imported)])


def _parts(imported: Imported) -> Iterator[str]:
    sections = imported.sections
    if imported.shutdown_grace_s is not None:
        remark = _comment("longer than the longest call to a service")
        yield remark + _dumped({"worker": {"shutdown_grace_s": imported.shutdown_grace_s}})
    if sections.store:
        yield _comment("signs the URLs of images") + _dumped({"store": sections.store})
    tables = {"odoos": sections.odoos, "services": sections.services, "routes": sections.routes}
    for section, named in tables.items():
        for name, table in named.items():
            remarks = map(_comment, sections.remarks.get(f"{section}.{name}", []))
            yield "".join(remarks) + _dumped({section: {name: table}})


def _dumped(tree: dict[str, Any]) -> str:
    return tomli_w.dumps(tree).rstrip("\n") + "\n"


def _comment(line: str) -> str:
    return textwrap.fill(line, 110, initial_indent="# ", subsequent_indent="#   ", break_on_hyphens=False) + "\n"
