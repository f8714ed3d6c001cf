"""Most requests per route and caller in a moving window, in the memory of one starter."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable

import jwt
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request

from contracts.identity import sha256_hex
from runtime.settings import (
    BasicAuth,
    BearerAuth,
    HeaderAuth,
    JwtAuth,
    NoAuth,
    Settings,
    SignatureAuth,
    UrlTokenAuth,
    WebhookAuth,
)
from starter.wire import n8n_answers
from starter.wire.refusals import RefusedError, Result
from starter.wire.routing import Webhook

CALLERS = 10_000
"""Callers that are remembered; those that have been quiet for longest are forgotten first."""
REQUESTS = 1_000_000
"""Requests that are remembered, over all callers; about 60 MB."""


class RecentRequests(MemoryStorage):
    """When each caller's requests came. The library's own memory store grows with every caller it has ever seen."""

    def __init__(
        self, callers: int = CALLERS, requests: int = REQUESTS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._callers = callers
        self._requests = requests
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()
        self._total = 0

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Note `amount` requests of `key`, unless that makes more than `limit` in `expiry` seconds."""
        times = self._recent(key, expiry)
        if len(times) + amount > limit:
            return False
        times.extend([self._clock()] * amount)
        self._total += amount
        self._forget_quiet_callers()
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002 - the library's signature
        """When the oldest request in the window came, by this store's clock, and how many there are."""
        times = self._recent(key, expiry)
        return (times[0] if times else self._clock()), len(times)

    def _recent(self, key: str, expiry: int) -> deque[float]:
        times = self._times.setdefault(key, deque())
        self._times.move_to_end(key)
        begin = self._clock() - expiry
        while times and times[0] <= begin:
            times.popleft()
            self._total -= 1
        return times

    def _forget_quiet_callers(self) -> None:
        while len(self._times) > 1 and (len(self._times) > self._callers or self._total > self._requests):
            _, times = self._times.popitem(last=False)
            self._total -= len(times)


class RateLimits:
    """The rate limits of all routes that have one."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._items: dict[str, RateLimitItem] = {
            name: parse(route.rate_limit) for name, route in settings.routes.items() if route.rate_limit
        }
        self._clock = clock
        self._limiter = MovingWindowRateLimiter(RecentRequests(clock=clock))

    def check(self, webhook: Webhook, request: Request) -> None:
        """Count one authenticated request; raises `RefusedError` (429) where its caller has had too many."""
        item = self._items.get(webhook.name)
        if item is None:
            return
        caller = (webhook.name, caller_of(webhook.settings.auth, request))
        if not self._limiter.hit(item, *caller):
            raise _too_many(item, self._limiter.get_window_stats(item, *caller).reset_time - self._clock())


def caller_of(auth: WebhookAuth, request: Request) -> str:
    """Who calls, of a request that is authenticated: user, token's subject or credential, else the address."""
    match auth:
        case BasicAuth():
            return f"user {auth.user}"
        case HeaderAuth():
            return _credential(request.headers.get(auth.name, ""))
        case BearerAuth():
            return _credential(request.headers.get("authorization", ""))
        case JwtAuth():
            return _subject(request) or _address(request)
        case SignatureAuth() | UrlTokenAuth():
            return "whoever has the secret"
        case NoAuth():
            return _address(request)


def _credential(value: str) -> str:
    # Several secrets may be live: each is a caller of its own, known by a digest that opens nothing.
    return f"credential {sha256_hex(value.encode())}"


def _subject(request: Request) -> str | None:
    token = request.headers.get("authorization", "").partition(" ")[2].partition(" ")[0]
    try:
        # Verified before, as it came.
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return None
    named = claims.get("sub") or claims.get("iss")
    return f"subject {named}" if named else None


def _address(request: Request) -> str:
    return f"address {request.client.host}" if request.client else "unknown"


def _too_many(item: RateLimitItem, wait_s: float) -> RefusedError:
    message = f"Too many requests: at most {item.amount} per {item.GRANULARITY.name}. Send it again later."
    headers = {"Retry-After": str(max(1, math.ceil(wait_s)))}
    return RefusedError(Result.RATE_LIMITED, n8n_answers.error_answer(429, message, headers=headers))
