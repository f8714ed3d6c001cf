"""From a request target to the configured webhook, by n8n's rules."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

import structlog
from starlette.responses import Response

from contracts.dialects import DIALECTS, Dialect
from runtime.settings import RouteSettings, Settings
from starter.access.admission import Admission
from starter.access.credentials import Credentials
from starter.access.url_tokens import without_token
from starter.intake.callback_origins import Origin, allowed_origins
from starter.wire import n8n_answers
from starter.wire.fixed_answers import FixedAnswer
from starter.wire.refusals import RefusedError, Result

_log = structlog.get_logger(__name__)
_ABSOLUTE = re.compile(r"https?://[^/]*", re.IGNORECASE)
_WEBHOOK = re.compile(r"/(webhook|webhook-test)/(.+)", re.IGNORECASE | re.DOTALL)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Webhook:
    """A configured route with what every request on it needs, resolved once."""

    name: str
    settings: RouteSettings
    dialect: Dialect
    origins: frozenset[Origin]
    credentials: Credentials
    admission: Admission
    fixed_answer: FixedAnswer


@dataclass(frozen=True, slots=True)
class Target:
    """A request target below /webhook/ or /webhook-test/, decoded, without the slash at its end."""

    path: str
    is_test: bool
    token: str | None = field(default=None, repr=False)
    """The secret that stood behind the path, where its webhook is opened by one."""


@dataclass(slots=True)
class _Node:
    """The webhooks of one path, by method; its segments, of which those with `:` stand for any text."""

    segments: tuple[str, ...]
    webhooks: dict[str, Webhook] = field(default_factory=dict)

    def registered(self) -> Mapping[str, Webhook]:
        if all(webhook.credentials.are_set() for webhook in self.webhooks.values()):
            return self.webhooks
        return {method: webhook for method, webhook in self.webhooks.items() if webhook.credentials.are_set()}

    def params(self, segments: Sequence[str]) -> dict[str, str]:
        pairs = zip(self.segments, segments, strict=True)
        return {name[1:]: given for name, given in pairs if name.startswith(":")}

    def literals(self) -> int:
        return sum(not segment.startswith(":") for segment in self.segments)

    def matches(self, segments: Sequence[str]) -> bool:
        pairs = zip(self.segments, segments, strict=False)
        return len(self.segments) == len(segments) and all(
            (given and name.startswith(":")) or name == given for name, given in pairs
        )


class WebhookTable:
    """All webhooks by path and method."""

    def __init__(self, settings: Settings) -> None:
        self._fixed: dict[str, _Node] = {}
        self._by_id: dict[str, list[_Node]] = {}
        for name, route in settings.routes.items():
            if route.active:
                self._add(make_webhook(settings, name), route)

    def find(self, target: Target, method: str) -> Webhook:
        """The webhook that answers; raises `RefusedError` where there is none."""
        webhooks = self._registered(target.path)
        if not webhooks:
            raise _refused(n8n_answers.not_registered(method, target.path))
        return by_method(webhooks, method)

    def methods(self, target: Target) -> Mapping[str, Webhook]:
        """The webhooks that a path has, by method; empty where it has none."""
        return self._registered(target.path)

    def located(self, target: Target) -> Target:
        """The target with the secret token taken off its path, where it leads to a webhook that has one."""
        return without_token(target, self._webhooks)

    def params(self, target: Target) -> dict[str, str]:
        """What stands for the :name segments of the path."""
        segments = target.path.split("/")
        node = self._by_params(segments)
        return node.params(segments[1:]) if node else {}

    def _registered(self, path: str) -> Mapping[str, Webhook]:
        node = self._node_at(path)
        return node.registered() if node else {}

    def _webhooks(self, path: str) -> Mapping[str, Webhook]:
        node = self._node_at(path)
        return node.webhooks if node else {}

    def _node_at(self, path: str) -> _Node | None:
        return self._fixed.get(path) or self._by_params(path.split("/"))

    def _by_params(self, segments: Sequence[str]) -> _Node | None:
        matching = [node for node in self._by_id.get(segments[0], ()) if node.matches(segments[1:])]
        return max(matching, key=_Node.literals, default=None)

    def _add(self, webhook: Webhook, route: RouteSettings) -> None:
        node = self._node(route)
        for method in route.methods:
            node.webhooks[method] = webhook
        if not webhook.credentials.are_set():
            _log.warning("webhook_not_registered", route=webhook.name, reason="its credentials are not there")

    def _node(self, route: RouteSettings) -> _Node:
        path = route.path.strip("/")
        segments = tuple(path.split("/"))
        if not _has_params(segments):
            return self._fixed.setdefault(path, _Node(segments))
        nodes = self._by_id.setdefault(route.webhook_id or "", [])
        known = [node for node in nodes if node.segments == segments]
        nodes.extend(() if known else (_Node(segments),))
        return known[0] if known else nodes[-1]


def by_method(webhooks: Mapping[str, Webhook], method: str) -> Webhook:
    """The one of a path's webhooks that takes the method; raises `RefusedError` where none does."""
    if method not in webhooks:
        raise _refused(n8n_answers.wrong_method(method, list(webhooks)))
    return webhooks[method]


def make_webhook(settings: Settings, name: str) -> Webhook:
    """The webhook of the route of that name."""
    route = settings.routes[name]
    return Webhook(
        name,
        route,
        DIALECTS[route.dialect],
        allowed_origins(settings, route),
        Credentials(route.auth),
        Admission(route),
        FixedAnswer(route.response),
    )


def parse_target(method: str, raw_path: str) -> Target:
    """The target of a still percent-encoded path; raises `RefusedError` outside every webhook."""
    path = raw_path if raw_path.startswith("/") else _ABSOLUTE.sub("", raw_path, count=1)
    match = _WEBHOOK.fullmatch(path)
    if match is None:
        raise _refused(n8n_answers.no_such_page(method, path))
    return Target(_decoded(match[2]), is_test=match[1].lower() == "webhook-test")


def _has_params(segments: Sequence[str]) -> bool:
    return any(segment.startswith(":") for segment in segments)


def _decoded(path: str) -> str:
    if "%" not in path and path.isascii():
        return path.removesuffix("/")
    if _BROKEN_ESCAPE.search(path):
        raise _refused(n8n_answers.malformed_path())
    try:
        decoded = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        raise _refused(n8n_answers.malformed_path()) from None
    return decoded.removesuffix("/")


def _refused(answer: Response) -> RefusedError:
    return RefusedError(Result.REFUSED_ROUTE, answer)
