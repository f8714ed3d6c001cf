"""A Webhook node as a route: path, methods, who may call, what is answered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import get_args

from pydantic import JsonValue

from operations.n8n_import.call_auth import USER
from operations.n8n_import.credentials import Secrets
from operations.n8n_import.exported import Node, as_list
from operations.n8n_import.findings import Notes, quoted
from runtime.route_settings import Method
from runtime.settings_values import WEBHOOK_ID, WEBHOOK_PATH

_CREDENTIALS = {"basicAuth": "httpBasicAuth", "headerAuth": "httpHeaderAuth", "jwtAuth": "jwtAuth"}
_PREFIX = re.compile(r"(?i)/?webhook(?:-test)?/")
_UNDERSTOOD = frozenset(
    {"allowedOrigins", "ipWhitelist", "ignoreBots", "noResponseBody", "responseCode", "responseData", "rawBody"}
    | {"responseHeaders", "binaryPropertyName", "binaryData", "responseContentType", "responsePropertyName"}
)

Table = dict[str, object]


@dataclass(frozen=True, slots=True)
class WebhookReader:
    """Reads one Webhook node."""

    node: Node
    route: str
    secrets: Secrets
    notes: Notes

    def path(self) -> str | None:
        """The path below /webhook/; None where there is none that could be taken over."""
        stated = self.node.text("path") or _webhook_id(self.node) or ""
        path = _PREFIX.sub("", stated, count=1) if _PREFIX.match(stated) else stated
        path = path.strip("/")
        if stated.startswith("=") or not re.fullmatch(WEBHOOK_PATH, path):
            self.notes.not_mapped(self.node.name, f"the path {quoted(stated)} is an expression or no path: no route")
            return None
        return path

    def settings(self, header: str, *, active: bool) -> Table:
        """All but path, response and the way back; `header` is the header to assume for header authentication."""
        table: Table = {"methods": self._methods(), "active": active}
        if ":" in self.node.text("path") and (identity := _webhook_id(self.node)):
            table["webhook_id"] = identity
        closed = [self._close(table, reason) for reason in (self._allowed_ips(table), self._auth(table, header))]
        self._origins(table)
        if self.node.options.get("ignoreBots") is True:
            table["ignore_bots"] = True
        self._unknown_options()
        if active and not any(closed):
            del table["active"]
        return table

    def _close(self, table: Table, reason: str | None) -> bool:
        # What kept callers out in n8n and cannot be taken over must not let them in here.
        if reason is not None:
            table["active"] = False
            self.notes.not_mapped(self.node.name, f"{reason}; the route is off (`active = false`) until it is set")
        return reason is not None

    def _methods(self) -> list[str]:
        given = self.node.parameters.get("httpMethod") or self.node.parameters.get("method")
        if given is None:
            given = ["GET", "POST"] if self.node.parameters.get("multipleMethods") is True else "GET"
            self.notes.mapped(self.node.name, f"no HTTP method in n8n means {given if given == 'GET' else 'GET, POST'}")
        names = [str(name).upper() for name in (given if isinstance(given, list) else [given])]
        known = [name for name in dict.fromkeys(names) if name in get_args(Method)]
        for name in names:
            if name not in known:
                self.notes.not_mapped(self.node.name, f"HTTP method {quoted(name)}")
        if not {"POST", "PUT", "PATCH", "DELETE"} & set(known):
            text = "GET and HEAD have no body: such requests are acknowledged and then rejected as incomplete"
            self.notes.approximated(self.node.name, text)
        return known or ["GET"]

    def _auth(self, table: Table, header: str) -> str | None:
        kind = self.node.text("authentication") or "none"
        if kind == "none":
            return None
        if kind not in _CREDENTIALS:
            return f"authentication {quoted(kind)} is not supported"
        name = self.node.credentials.get(_CREDENTIALS[kind], "")
        if not name:
            self.notes.not_mapped(
                self.node.name, "no credential is chosen in n8n (404 there): until its secret is supplied, 404 here too"
            )
        key = "password" if kind == "basicAuth" else "secret"
        setting = f"routes.{self.route}.auth"
        reference = self.secrets.for_credential(_CREDENTIALS[kind], name, self.node.name, f"{setting}.{key}")
        shown = quoted(name) if name else "a credential of your own"
        table["auth"] = self._section(kind, reference, header, setting, shown)
        self.notes.mapped(self.node.name, f"{kind} with {shown} -> {setting}, secret in {reference}")
        return None

    def _section(self, kind: str, reference: str, header: str, setting: str, shown: str) -> Table:
        if kind == "basicAuth":
            self.notes.set_up(self.node.name, f"{setting}.user: the user name of {shown}; `{USER}` stands there")
            return {"kind": "basic", "user": USER, "password": reference}
        if kind == "headerAuth":
            text = f"{setting}.name: the header that {shown} names in n8n; `{header}` stands there"
            self.notes.set_up(self.node.name, text)
            return {"kind": "header", "name": header, "secret": reference}
        text = f"{setting}.algorithms: the algorithm of {shown}; HS256 stands there (with a PEM key set public_key)"
        self.notes.set_up(self.node.name, text)
        return {"kind": "jwt", "algorithms": ["HS256"], "secret": reference}

    def _allowed_ips(self, table: Table) -> str | None:
        given = self.node.options.get("ipWhitelist")
        if given is None or (isinstance(given, str) and not given.strip()):
            return None
        listed = _list(given)
        readable = [text for text in listed if _is_network(text)]
        if not readable or len(readable) < len(listed):
            return "the IP list is an expression or holds what is no address: set allowed_ips"
        table["allowed_ips"] = readable
        self.notes.mapped(self.node.name, f"IP list -> allowed_ips, {len(readable)} entries")
        return None

    def _origins(self, table: Table) -> None:
        listed = _list(self.node.options.get("allowedOrigins"))
        if not listed or listed == ["*"]:
            return
        readable = [text.rstrip("/") for text in listed if re.fullmatch(r"https?://[^\s/?#@=]+/?", text)]
        if len(readable) < len(listed):
            text = "allowed origins that are expressions or no origins: set cors_origins"
            self.notes.not_mapped(self.node.name, text)
        if readable:
            table["cors_origins"] = readable
            self.notes.mapped(self.node.name, "allowed origins -> cors_origins")

    def _unknown_options(self) -> None:
        for name in self.node.options:
            if name not in _UNDERSTOOD:
                self.notes.not_mapped(self.node.name, f"option {quoted(name)} is not taken over")


def _webhook_id(node: Node) -> str | None:
    identity = node.settings.get("webhookId")
    return identity if isinstance(identity, str) and re.fullmatch(WEBHOOK_ID, identity) else None


def _list(value: JsonValue) -> list[str]:
    return list(_items(value))


def _items(value: JsonValue) -> Iterator[str]:
    for item in as_list(value) or [value]:
        if isinstance(item, str):
            yield from (text for part in item.split(",") if (text := part.strip()))


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
