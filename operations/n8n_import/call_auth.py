"""How a call of n8n authenticates, as our `auth` section. Values of secrets are never taken over."""

from __future__ import annotations

import re
from dataclasses import dataclass

from operations.n8n_import.credentials import Secrets
from operations.n8n_import.exported import Node
from operations.n8n_import.findings import Notes, quoted
from operations.n8n_import.http_calls import credential_type, headers
from operations.n8n_import.values import Joined, Value, Variable, literal_text
from runtime.settings_values import HEADER_NAME

USER = "odoo"
"""Stands where an export does not say a user name."""
_USUAL = frozenset({"content-type", "accept", "user-agent", "content-length", "host", "connection", "accept-encoding"})
_SECRET = re.compile(r"(?i)auth|key|token|secret|signature|passw|cookie")
_BEARERS = frozenset({"httpBearerAuth", "openAiApi"})

Table = dict[str, object]


@dataclass(frozen=True, slots=True)
class CallAuth:
    """Makes the `auth` of one call."""

    node: Node
    setting: str
    """Where it goes: services.flux.auth."""
    header: str
    """The header name to assume where the export does not say it."""
    secrets: Secrets
    notes: Notes

    def read(self) -> Table | None:
        """The section, or None where the call has no authentication that could be taken over."""
        kind = credential_type(self.node)
        table = self._by_credential(kind) if kind else None
        return self._by_headers(table)

    def _by_credential(self, kind: str) -> Table | None:
        name = self.node.credentials.get(kind, "")
        shown = quoted(name) if name else "(none is chosen in n8n)"
        if kind == "httpBasicAuth":
            reference = self._reference(kind, name, "password")
            self.notes.mapped(self.node.name, f"Basic credential {shown} -> {self.setting}, password in {reference}")
            self.notes.set_up(self.node.name, f"{self.setting}.user: the user name of {shown}; `{USER}` stands there")
            return {"kind": "basic", "user": USER, "password": reference}
        if kind in _BEARERS:
            reference = self._reference(kind, name, "secret")
            self.notes.mapped(self.node.name, f"token credential {shown} -> {self.setting}, token in {reference}")
            return {"kind": "bearer", "secret": reference}
        if kind == "httpHeaderAuth":
            reference = self._reference(kind, name, "secret")
            self.notes.mapped(self.node.name, f"header credential {shown} -> {self.setting}, value in {reference}")
            self.notes.set_up(self.node.name, self._header_words(shown))
            return {"kind": "header", "name": self.header, "secret": reference}
        self.notes.not_mapped(self.node.name, f"authentication {quoted(kind)} is not supported: set {self.setting}")
        return None

    def _reference(self, kind: str, name: str, key: str) -> str:
        return self.secrets.for_credential(kind, name, self.node.name, f"{self.setting}.{key}")

    def _header_words(self, shown: str) -> str:
        return (
            f"{self.setting}.name: the header that {shown} names in n8n; the export does not say it, "
            f"`{self.header}` stands there"
        )

    def _by_headers(self, table: Table | None) -> Table | None:
        for name, value in headers(self.node):
            if name.lower() in _USUAL:
                continue
            if table is not None or not _SECRET.search(name) or not re.fullmatch(HEADER_NAME, name):
                self.notes.not_mapped(self.node.name, f"header {quoted(name)} is not sent")
                continue
            table = self._by_header(name, value)
        return table

    def _by_header(self, name: str, value: Value) -> Table:
        bearer = _bearer_token(value) if name.lower() == "authorization" else None
        variable = bearer or value
        setting = f"{self.setting}.secret"
        named = self.secrets.for_variable(variable.name, setting) if isinstance(variable, Variable) else None
        reference = named or self._reference("header", f"{self.node.name} {name}", "secret")
        self.notes.mapped(self.node.name, f"header {quoted(name)} -> {self.setting}, value in {reference}")
        if named is None:
            where = "stands in the node" if literal_text(value) is not None else "is an expression"
            self.notes.set_up(self.node.name, f"{reference}: the value {where} and was not copied")
        if bearer is not None:
            return {"kind": "bearer", "secret": reference}
        return {"kind": "header", "name": name, "secret": reference}


def _bearer_token(value: Value) -> Value | None:
    """The variable in `Bearer {{ $env.X }}`."""
    if not isinstance(value, Joined) or len(value.parts) != 2:  # noqa: PLR2004 - the word and the variable
        return None
    word, token = value.parts
    is_bearer = (literal_text(word) or "").strip().lower() == "bearer"
    return token if is_bearer and isinstance(token, Variable) else None
