"""The HTTP Request nodes that call Odoo back, as an Odoo and the way back of a route."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.dialects import DIALECTS
from operations.n8n_import.addresses import UNKNOWN, Address, read_address
from operations.n8n_import.call_auth import CallAuth
from operations.n8n_import.credentials import Secrets
from operations.n8n_import.dialect_guess import callback_fields, has_envelope
from operations.n8n_import.dialect_marks import MARKS
from operations.n8n_import.exported import Node
from operations.n8n_import.findings import Notes, quoted, quoted_expression
from operations.n8n_import.graph import Graph
from operations.n8n_import.http_calls import body, tries
from operations.n8n_import.timings import add_timeout, plain_number, say_left_out
from operations.n8n_import.values import Record, Unread, Value, Variable, walk
from runtime.retry_settings import CallbackRetrySettings

DATABASE = "odoo"
"""Stands where an export does not say the database's name."""
_LONGEST_S = 600.0
_URL_FIELDS = frozenset({"image_url", "imageUrl"})
_DATA_FIELDS = frozenset({"image_data", "imageData", "image_data_b64"})

Table = dict[str, object]


@dataclass(frozen=True, slots=True)
class CallbackReader:
    """Reads the callback of one route."""

    node: Node
    failure: Node | None
    route: str
    dialect: str
    graph: Graph
    secrets: Secrets
    notes: Notes

    def base_url(self) -> str:
        """Where the Odoo is."""
        address = self._address(self.node)
        if address.origin is not None:
            return address.origin
        if address.body_field:
            text = f"its URL comes from the request's {quoted(address.body_field)}; `{UNKNOWN}` stands for the Odoo"
        else:
            text = f"the Odoo's address, in n8n {quoted_expression(self.node.text('url'))}; `{UNKNOWN}` stands there"
        self.notes.set_up(self.node.name, f"the base_url of the Odoo of routes.{self.route}: {text}")
        return UNKNOWN

    def settings(self) -> Table:
        """The `[routes.NAME.callback]` section."""
        address = self._address(self.node)
        table: Table = {"path": self._path(address)}
        header = DIALECTS[self.dialect].callback_header
        auth = CallAuth(self.node, f"routes.{self.route}.callback.auth", header, self.secrets, self.notes).read()
        if auth:
            table["auth"] = auth
        table |= self._token() | self._envelope() | self._images()
        table["retry"] = self._retry()
        self._say_differences(address)
        return table

    def _address(self, node: Node) -> Address:
        return read_address(node.text("url"), node.name, self.graph)

    def _path(self, address: Address) -> str:
        usual = MARKS[self.dialect].callback_path
        if address.path and address.path.startswith("/"):
            self.notes.mapped(self.node.name, f"callback at {quoted(address.path)}")
            return address.path
        if address.body_field is None:
            self.notes.set_up(
                self.node.name,
                f"routes.{self.route}.callback.path: the export does not say it; `{usual}`, as dialect {self.dialect} "
                "documents it, stands there",
            )
        return usual

    def _token(self) -> Table:
        """The token in the body of dialect `endpoint`: our own secret, never the one that came in."""
        record, field = callback_fields(self.node), DIALECTS[self.dialect].secret_field
        value = dict(record.fields).get(field) if record and field else None
        if field is None or value is None:
            return {}
        setting = f"routes.{self.route}.callback.{field}"
        named = self.secrets.for_variable(value.name, setting) if isinstance(value, Variable) else None
        reference = named or self.secrets.for_credential(field, "", f"{self.node.name} {field}", setting)
        if named is None:
            self.notes.set_up(self.node.name, f"{reference}: the token that Odoo expects; its value was not copied")
        return {field: reference}

    def _envelope(self) -> Table:
        content = body(self.node)
        ours = DIALECTS[self.dialect].envelope
        if not isinstance(content, Record):
            return {}
        theirs = "jsonrpc" if has_envelope(content) else "plain"
        return {"envelope": theirs} if theirs != ours else {}

    def _images(self) -> Table:
        """An Odoo that has only ever been sent URLs may read nothing else."""
        record = callback_fields(self.node)
        names = set(_names(record)) if record else set()
        if not names & _URL_FIELDS or names & _DATA_FIELDS:
            return {}
        self.notes.approximated(
            self.node.name, "the image's URL is one of ours, signed and valid for 7 days, in place of the service's"
        )
        text = "starter.public_base_url: where Odoo reaches this orchestrator, since the images' URLs begin with it"
        self.notes.set_up(self.node.name, text)
        return {"images": "url"}

    def _retry(self) -> Table:
        table: Table = {}
        add_timeout(table, self.node, _LONGEST_S, self.notes)
        say_left_out(self.node, self.notes)
        stated = tries(self.node)
        ours = CallbackRetrySettings()
        if stated is not None and stated.wait_s:
            table["initial_s"] = plain_number(stated.wait_s)
        first = (stated.wait_s if stated else 0) or ours.initial_s
        before = "one try" if stated is None else str(stated)
        self.notes.approximated(
            self.node.name,
            f"{before} -> {ours.deadline_s / 3600:g} h of backoff: the first retry after {first:g} s, each further "
            f"wait doubled up to {ours.maximum_s / 60:g} minutes, then a dead letter that can be redriven",
        )
        return table

    def _say_differences(self, address: Address) -> None:
        for part in address.dropped:
            self.notes.not_mapped(self.node.name, f"{part} is not taken over")
        if address.body_field:
            self._say_url_from_request(address.body_field)
        self._say_fields(self.node)
        self._say_failure(address)

    def _say_url_from_request(self, field: str) -> None:
        ours = {"event": "callbackUrl", "endpoint": "odoo_callback_url"}.get(self.dialect)
        if ours == field:
            self.notes.approximated(
                self.node.name,
                f"the URL in the request's {quoted(field)} is used, but only with the Odoo's own origin or one of "
                f"routes.{self.route}.callback.allowed_origins",
            )
        else:
            self.notes.not_mapped(
                self.node.name, f"the URL from {quoted(field)}: dialect {self.dialect} always calls the route's Odoo"
            )

    def _say_failure(self, address: Address) -> None:
        if self.failure is None:
            self.notes.approximated(self.node.name, "n8n told Odoo nothing of a failure; we do, with an error code")
            return
        self.notes.mapped(self.failure.name, "the callback of a failure")
        theirs = self._address(self.failure)
        if (theirs.origin, theirs.path, theirs.variables) != (address.origin, address.path, address.variables):
            self.notes.not_mapped(self.failure.name, "its own URL: we send failures where successes go")
        self._say_fields(self.failure)

    def _say_fields(self, node: Node) -> None:
        record = callback_fields(node)
        if record is None:
            content = body(node)
            shown = f" {quoted_expression(content.text)}" if isinstance(content, Unread) else ""
            self.notes.not_mapped(node.name, f"body{shown}: cannot be read; dialect {self.dialect} says what is sent")
            return
        for name, value in record.fields:
            self._say_field(node, name, value)

    def _say_field(self, node: Node, name: str, value: Value) -> None:
        if name not in MARKS[self.dialect].sent:
            self.notes.not_mapped(node.name, f"callback field {quoted(name)}: dialect {self.dialect} does not send it")
        elif name in {"error", "error_message", "errorMessage"}:
            self.notes.approximated(
                node.name, f"{quoted(name)} no longer carries n8n's own error, only our code and one sentence"
            )
        elif unread := next(_unread(value), None):
            self.notes.approximated(
                node.name,
                f"callback field {quoted(name)}: the expression {quoted_expression(unread)} cannot be read; "
                f"dialect {self.dialect} says what is sent",
            )
        else:
            self.notes.mapped(node.name, f"callback field {quoted(name)}")


def _unread(value: Value) -> Iterator[str]:
    yield from (part.text for part in walk(value) if isinstance(part, Unread))


def _names(value: Value) -> Iterator[str]:
    """The names of all fields in the value."""
    yield from (name for part in walk(value) if isinstance(part, Record) for name, _ in part.fields)
