"""What n8n answered to the caller, as `respond` and `response` of a route."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import JsonValue

from contracts.dialects import DIALECTS
from contracts.dialects.base import WORKFLOW_STARTED
from contracts.requests import RequestReference
from operations.n8n_import.exported import RESPOND, Node, Object, as_list, as_number, as_object
from operations.n8n_import.expressions import read_value
from operations.n8n_import.findings import Notes, quoted
from operations.n8n_import.graph import Graph
from operations.n8n_import.values import literal_text
from runtime.settings_values import HEADER_NAME, HEADER_VALUE

_STATUSES = range(200, 600)

Table = dict[str, object]


@dataclass(frozen=True, slots=True)
class ResponseReader:
    """Reads what one webhook answers."""

    webhook: Node
    dialect: str
    graph: Graph
    notes: Notes

    def settings(self) -> Table:
        """`respond` and `response`, as far as they differ from the defaults."""
        mode = self.webhook.text("responseMode") or "onReceived"
        if mode == "responseNode":
            return self._by_node()
        if mode == "lastNode":
            return {**self._when_finished(), **self._fixed(self.webhook, data=None)}
        if mode != "onReceived":
            self.notes.not_mapped(self.webhook.name, f"response mode {quoted(mode)}: it answers at once")
        return self._at_once(self.webhook, self.webhook.options.get("responseData"))

    def _by_node(self) -> Table:
        early = self._early_respond()
        if early is None:
            return self._when_finished()
        kind = early.text("respondWith") or "firstIncomingItem"
        if kind not in {"text", "json", "noData"}:
            self.notes.not_mapped(early.name, f"it responds with {quoted(kind)}: the dialect's acknowledgement instead")
            return {}
        content = early.parameters.get("responseBody") if kind != "noData" else None
        answer = self._at_once(early, content)
        if kind == "noData":
            answer["response"] = {**_section(answer), "no_body": True}
        elif kind == "json" and "data" in _section(answer):
            headers = _section(answer).get("headers")
            named = headers if isinstance(headers, dict) else {}
            answer["response"] = {**_section(answer), "headers": {"Content-Type": "application/json", **named}}
        return answer

    def _early_respond(self) -> Node | None:
        """The Respond node that is reached without any call."""
        reached = map(self.graph.node, self.graph.reached([self.webhook.name], past_calls=False))
        return next((node for node in reached if node.type == RESPOND and not node.disabled), None)

    def _when_finished(self) -> Table:
        self.notes.approximated(
            self.webhook.name,
            "n8n answered with what its last node had; here the answer is the callback's body, and after "
            "respond_deadline_s (60 s) a 202 while the request goes on",
        )
        return {"respond": "when_finished"}

    def _at_once(self, node: Node, content: JsonValue) -> Table:
        text = literal_text(read_value(content)) if isinstance(content, str) else None
        if content is not None and content != "":
            self._say_content(node, text)
        table = self._fixed(node, data=text)
        if not table and not text and node is self.webhook:
            self._say_acknowledgement()
        return table

    def _say_content(self, node: Node, text: str | None) -> None:
        if text is None:
            self.notes.not_mapped(node.name, "its answer is an expression: the dialect's acknowledgement instead")
        else:
            self.notes.mapped(node.name, "fixed answer -> response.data")

    def _say_acknowledgement(self) -> None:
        ours = DIALECTS[self.dialect].acknowledge(RequestReference(request_id="1", dialect=self.dialect))
        if ours != WORKFLOW_STARTED:
            self.notes.approximated(
                self.webhook.name,
                f'n8n answered {{"message": "Workflow was started"}}; dialect {self.dialect} answers '
                "what its contract documents, with the request's id",
            )

    def _fixed(self, node: Node, data: str | None) -> Table:
        section: Table = {}
        status = self._status(node)
        if status is not None:
            section["status"] = status
        if data:
            section["data"] = data
        headers = self._headers(node)
        if headers:
            section["headers"] = headers
        if node.options.get("noResponseBody") is True:
            section["no_body"] = True
        return {"response": section} if section else {}

    def _status(self, node: Node) -> int | None:
        stated = node.options.get("responseCode", node.parameters.get("responseCode"))
        values = as_object(as_object(stated).get("values"))
        custom = values.get("customCode") if values.get("responseCode") == "customCode" else values.get("responseCode")
        stated = custom if isinstance(stated, dict) else stated
        if stated is None:
            return None
        number = as_number(stated)
        if number is None or int(number) not in _STATUSES:
            self.notes.not_mapped(node.name, "its response code is an expression or none that HTTP has: 200 instead")
            return None
        return None if number == 200 else int(number)  # noqa: PLR2004 - the default

    def _headers(self, node: Node) -> dict[str, str]:
        entries: Object = as_object(node.options.get("responseHeaders"))
        found: dict[str, str] = {}
        for entry in map(as_object, as_list(entries.get("entries"))):
            name, value = entry.get("name"), literal_text(read_value(entry.get("value")))
            if isinstance(name, str) and re.fullmatch(HEADER_NAME, name) and _is_value(value):
                found[name] = str(value)
            else:
                self.notes.not_mapped(node.name, f"response header {quoted(str(name))}: an expression or no header")
        return found


def _is_value(value: str | None) -> bool:
    return value is not None and re.fullmatch(HEADER_VALUE, value) is not None


def _section(answer: Table) -> Table:
    section = answer.get("response")
    return section if isinstance(section, dict) else {}
