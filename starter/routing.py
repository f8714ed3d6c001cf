"""From a request target to the configured webhook, by n8n's rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from starlette.responses import Response

from contracts.dialects import DIALECTS, Dialect
from runtime.settings import RouteSettings, Settings
from starter import n8n_answers
from starter.callback_origins import Origin, allowed_origins
from starter.refusals import RefusedError, Result

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


class WebhookTable:
    """All webhooks by path and method."""

    def __init__(self, settings: Settings) -> None:
        self._by_path: dict[str, dict[str, Webhook]] = {}
        for name, route in settings.routes.items():
            webhook = Webhook(name, route, DIALECTS[route.dialect], allowed_origins(settings, route))
            self._by_path.setdefault(route.path.strip("/"), {})[route.method] = webhook

    def find(self, method: str, raw_path: str) -> Webhook:
        """The webhook of a still percent-encoded path; raises `RefusedError`."""
        target = _ABSOLUTE.sub("", raw_path, count=1)
        match = _WEBHOOK.fullmatch(target)
        if match is None:
            raise _refused(n8n_answers.no_such_page(method, target))
        path = _decoded(match[2])
        if match[1].lower() == "webhook-test":
            raise _refused(n8n_answers.not_listening(path))
        return _by_method(self._by_path.get(path, {}), method, path)


def _by_method(webhooks: Mapping[str, Webhook], method: str, path: str) -> Webhook:
    if method in webhooks:
        return webhooks[method]
    if webhooks:
        raise _refused(n8n_answers.wrong_method(method, list(webhooks)))
    raise _refused(n8n_answers.not_registered(method, path))


def _decoded(path: str) -> str:
    if _BROKEN_ESCAPE.search(path):
        raise _refused(n8n_answers.malformed_path())
    try:
        decoded = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        raise _refused(n8n_answers.malformed_path()) from None
    return decoded.removesuffix("/")


def _refused(answer: Response) -> RefusedError:
    return RefusedError(Result.REFUSED_ROUTE, answer)
