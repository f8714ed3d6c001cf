"""What an HTTP Request node says in each of its spellings: headers, body, time-out, tries, authentication."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import JsonValue

from operations.n8n_import.exported import Node, as_list, as_number, as_object
from operations.n8n_import.expressions import read_json, read_value
from operations.n8n_import.values import Record, Unread, Value

DEFAULT_TIMEOUT_S = 300.0
"""n8n's, where a node names none."""
_MOST_TRIES, _LONGEST_WAIT_MS = 5, 5000
_UNDERSTOOD = frozenset(
    {"timeout", "response", "retryOnFail", "retryCount", "retryInterval", "maxTries", "waitBetweenTries"}
)
_AUTHENTICATIONS: Mapping[str, str] = MappingProxyType(
    {
        "basicAuth": "httpBasicAuth",
        "headerAuth": "httpHeaderAuth",
        "bearerAuth": "httpBearerAuth",
        "jwtAuth": "jwtAuth",
    }
)


@dataclass(frozen=True, slots=True)
class Tries:
    """n8n's retries of a node."""

    count: int
    """The first one included."""
    wait_s: float
    capped: bool = False
    """Whether the node names more than n8n allows."""

    def __str__(self) -> str:
        """In words."""
        return f"{self.count} tries {self.wait_s:g} s apart"


def tries(node: Node) -> Tries | None:
    """The retries of a node: its own (`maxTries`), or the old ones in its options (`retryCount`); None = one try."""
    wanted, pause = _number(node, "maxTries"), _number(node, "waitBetweenTries")
    retries = _number(node, "retryCount")
    if retries is not None and wanted is None and _setting(node, "retryOnFail") is not False:
        wait_ms = _number(node, "retryInterval") or 1000
        return Tries(1 + int(min(max(retries, 0), 9_999)), min(max(wait_ms, 0) / 1000, 3600)) if retries >= 1 else None
    if _setting(node, "retryOnFail") is not True:
        return None
    count, wait_ms = wanted or 3, pause or 1000
    return Tries(
        int(min(_MOST_TRIES, max(2, count))),
        min(_LONGEST_WAIT_MS, max(0, wait_ms)) / 1000,
        capped=count > _MOST_TRIES or wait_ms > _LONGEST_WAIT_MS,
    )


def timeout_s(node: Node) -> float:
    """Seconds for one call."""
    stated = _number(node, "timeout")
    return stated / 1000 if stated and stated > 0 else DEFAULT_TIMEOUT_S


def unread_numbers(node: Node) -> list[str]:
    """The settings of tries and time-out that are no numbers but, for example, expressions."""
    names = ("maxTries", "waitBetweenTries", "retryCount", "retryInterval", "timeout")
    return [name for name in names if _setting(node, name) not in {None, ""} and _number(node, name) is None]


def left_out(node: Node) -> list[str]:
    """What else the node says that changes its request, by the names of the parameters."""
    query = ("queryParameters", "queryParametersUi", "jsonQuery", "queryParametersJson")
    named = [name for name in query if node.parameters.get(name) and node.parameters.get("sendQuery") is not False]
    return [*named, *(name for name in node.options if name not in _UNDERSTOOD)]


def body_type(node: Node) -> str:
    """How the body travels: json, form-urlencoded, ..."""
    return node.text("contentType", "bodyContentType") or "json"


def goes_on(node: Node) -> bool:
    """Whether n8n goes on after the last failed try as if all were well."""
    return node.settings.get("continueOnFail") is True or node.settings.get("onError") == "continueRegularOutput"


def _setting(node: Node, name: str) -> JsonValue:
    places = (node.settings, node.options, node.parameters)
    value = next((place[name] for place in places if place.get(name) is not None), None)
    return value if not isinstance(value, dict | list) else "..."


def _number(node: Node, name: str) -> float | None:
    return as_number(_setting(node, name))


def credential_type(node: Node) -> str | None:
    """The credential type that the call authenticates with; None where it does not."""
    kind = node.text("authentication")
    if kind == "genericCredentialType":
        return node.text("genericAuthType") or kind
    if kind == "predefinedCredentialType":
        return node.text("nodeCredentialType") or kind
    return None if kind in {"", "none"} else _AUTHENTICATIONS.get(kind, kind)


def headers(node: Node) -> Iterator[tuple[str, Value]]:
    """The headers that the node sends beside its credential."""
    if node.parameters.get("sendHeaders") is False:
        return
    yield from _pairs(node.parameters, "headerParameters", "headerParametersUi")
    for name in ("jsonHeaders", "headerParametersJson"):
        content = read_json(node.parameters.get(name)) if node.text(name) else None
        if isinstance(content, Record):
            yield from content.fields


def body(node: Node) -> Value | None:
    """What the node sends; None where it sends nothing."""
    if node.parameters.get("sendBody") is False:
        return None
    for name in ("jsonBody", "bodyParametersJson"):
        if node.text(name):
            return read_json(node.parameters[name])
    pairs = tuple(_pairs(node.parameters, "bodyParameters", "bodyParametersUi"))
    if pairs:
        return Record(pairs)
    return Unread(node.text("body")) if node.text("body") else None


def _pairs(parameters: Mapping[str, JsonValue], *names: str) -> Iterator[tuple[str, Value]]:
    for name in names:
        holder = as_object(parameters.get(name))
        for item in map(as_object, [*as_list(holder.get("parameters")), *as_list(holder.get("parameter"))]):
            key = item.get("name")
            if isinstance(key, str) and key:
                yield key, read_value(item.get("value"))
