"""JSON-2, the external interface of Odoo 19 and later: one POST per method, a bearer key, real status codes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
from pydantic import JsonValue

from activities.odoo.errors import unanswered, unreadable
from activities.odoo.port import MethodCalls, Values
from activities.services.transport import timeouts
from contracts.json_body import parse_json
from runtime.retry_after import retry_after_s

_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Json2Port(MethodCalls):
    """Calls of one attempt."""

    client: httpx.AsyncClient
    base_url: str
    database: str
    key: str = field(repr=False)
    timeout_s: float
    """Seconds for one call."""

    async def call(self, model: str, method: str, ids: Sequence[int] | None, arguments: Values) -> JsonValue:
        """POST /json/2/MODEL/METHOD; raises `OdooRefusedError`."""
        body = {**arguments, **({} if ids is None else {"ids": list(ids)})}
        try:
            async with asyncio.timeout(self.timeout_s):
                response = await self.client.post(
                    f"{self.base_url}/json/2/{model}/{method}",
                    json=body,
                    headers={"Authorization": f"Bearer {self.key}", "X-Odoo-Database": self.database},
                    timeout=timeouts(self.timeout_s),
                )
        except (TimeoutError, httpx.HTTPError) as error:
            raise unanswered(error, [self.key]) from None
        content = response.content
        if response.status_code != httpx.codes.OK or not response.headers.get("content-type", "").startswith(_JSON):
            wait = retry_after_s(response.headers, content, now=time.time())
            raise unreadable(response.status_code, content, [self.key], wait)
        return parse_json(content)
