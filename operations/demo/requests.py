"""What the demo posts: documented webhooks in every dialect, some unlucky, some refused, some sent twice."""

from __future__ import annotations

import base64
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from operations.bodies import Ask, body_of
from operations.demo.configuration import BASIC_USER, ROUTES, DemoFiles, DemoRoute
from operations.stack import StandIns

_SUBJECTS = ("a red bicycle", "a lighthouse at dusk", "a teapot on the moon", "a fox in the snow", "a paper boat")
IMAGE_FAULTS = (
    {"match": "[rate limited]", "kind": "rate_limited", "times": 2, "retry_after": 1},
    {"match": "[overloaded]", "kind": "unavailable", "times": 1, "retry_after": 1},
    {"match": "[failing]", "kind": "server_error", "times": 2},
    {"match": "[forbidden]", "kind": "refused_content", "times": 0},
)
CALLBACK_FAULTS = (
    {"match": "odoo-down", "kind": "unavailable", "times": 2, "retry_after": 1},
    {"match": "odoo-error", "kind": "error_in_200", "times": 1},
)


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """One webhook to post, and what must come of it."""

    request_id: str
    route: DemoRoute
    what: str
    """In a few words, for the table."""
    body: dict[str, JsonValue]
    headers: Mapping[str, str] = field(repr=False)
    outcome: str = "completed"
    posts: int = 1


@dataclass(frozen=True, slots=True)
class _Case:
    route: DemoRoute
    what: str
    mark: str | None = ""
    """What the prompt ends in, by which the stand-ins know their fault; None = no prompt at all."""
    tag: str = ""
    """What the request id ends in, for the same purpose."""
    outcome: str = "completed"
    posts: int = 1


def plan(files: DemoFiles, stand_ins: StandIns, each: int, run: str) -> list[DemoRequest]:
    """The requests of one run: `each` plain ones per dialect, and the interesting ones."""
    maker = _Maker(files, stand_ins, run, random.Random(run))  # noqa: S311 - picks subjects for pictures
    plain = [_Case(route, f"plain {n + 1}", posts=1 + (n == 0)) for route in ROUTES for n in range(each)]
    event, correlation, request, adapter, endpoint = ROUTES
    interesting = [
        _Case(event, "service says 429 twice", "[rate limited]"),
        _Case(correlation, "service fails twice", "[failing]"),
        _Case(request, "service overloaded once", "[overloaded]"),
        _Case(adapter, "Odoo down for two tries", tag="odoo-down"),
        _Case(endpoint, "Odoo errs inside a 200", tag="odoo-error"),
        _Case(event, "content refused", "[forbidden]", outcome="rejected"),
        _Case(request, "prompt missing", None, outcome="rejected"),
    ]
    return [maker.make(case) for case in [*plain, *interesting]]


@dataclass(slots=True)
class _Maker:
    files: DemoFiles
    stand_ins: StandIns
    run: str
    chance: random.Random
    count: int = 0

    def make(self, case: _Case) -> DemoRequest:
        self.count += 1
        route = case.route
        name = "-".join(filter(None, (route.dialect, f"{self.count:02d}", self.run, case.tag)))
        request_id = str(uuid.uuid5(uuid.NAMESPACE_URL, name)) if route.dialect == "correlation" else name
        ask = Ask(
            request_id,
            None if case.mark is None else f"{self.chance.choice(_SUBJECTS)} {case.mark}".strip(),
            size="512x512",
            seed=self.chance.randrange(10_000),
            callback_url=self._callback_url(route),
            security_token=self.files.read_secret("token") if route.dialect == "endpoint" else None,
        )
        body = body_of(route.dialect, ask)
        return DemoRequest(request_id, route, case.what, body, self._headers(route), case.outcome, case.posts)

    def _callback_url(self, route: DemoRoute) -> str | None:
        return self.stand_ins.receiver_url + route.callback if route.dialect in {"event", "endpoint"} else None

    def _headers(self, route: DemoRoute) -> dict[str, str]:
        return webhook_headers(route, self.files.read_secret("webhook"))


def webhook_headers(route: DemoRoute, secret: str) -> dict[str, str]:
    """The header by which Odoo authenticates on a route."""
    if route.auth == "basic":
        pair = base64.b64encode(f"{BASIC_USER}:{secret}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    if route.auth == "bearer":
        return {"Authorization": f"Bearer {secret}"}
    return {route.auth: secret}
