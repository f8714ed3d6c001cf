"""What an accepted request is answered where the route says so: status, data, headers, or no body."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import JsonValue
from starlette.responses import Response

from runtime.settings import ResponseSettings
from starter.wire import n8n_answers

_CHARSET = re.compile(r"\s*;\s*charset=[^;]*", re.IGNORECASE)


class FixedAnswer:
    """One webhook's response options, resolved once."""

    def __init__(self, settings: ResponseSettings) -> None:
        self._status = settings.status or 200
        self._data = settings.data.encode() if settings.data else None
        self._no_body = settings.no_body
        self._headers = {name.lower(): value for name, value in settings.headers.items()}
        if "content-type" in self._headers:
            self._headers["content-type"] = f"{_CHARSET.sub('', self._headers['content-type'])}; charset=utf-8"

    def to(self, acknowledgement: Mapping[str, JsonValue]) -> Response:
        """The answer to a request that was taken, `acknowledgement` its content unless the route has its own."""
        if self._no_body:
            return n8n_answers.empty(self._status, self._headers)
        if self._data is not None:
            return n8n_answers.accepted(self._status, self._data, "text/html; charset=utf-8", self._headers)
        return self.to_outcome(acknowledgement)

    def to_outcome(self, outcome: Mapping[str, JsonValue]) -> Response:
        """The answer that carries this content: only status and headers are the route's own."""
        body = n8n_answers.to_json(outcome)
        return n8n_answers.accepted(self._status, body, n8n_answers.JSON, self._headers)
