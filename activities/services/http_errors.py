"""What a refused or broken HTTP exchange with an image service means. Pure: the present is passed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from activities.services.error_body import read_error_body
from activities.services.redaction import scrub
from activities.services.refusals import Phase, failure_class, unclear_class
from contracts.errors import Failure, FailureClass, Retry, make_failure
from runtime.retry_after import rate_limit_reset_s, retry_after_s

_REQUEST_IDS = ("x-request-id", "request-id", "x-fal-request-id")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a service answered. `headers` are case-insensitive; `secrets` must never leave it."""

    service: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def request_id(self) -> str | None:
        """The service's own id of the exchange."""
        return self.short(next((self.headers[name] for name in _REQUEST_IDS if self.headers.get(name)), None))

    def short(self, text: str | None) -> str | None:
        """A name or code that the service chose, as it may be kept: scrubbed, short, fit for every store."""
        return scrub(_storable(text), self.secrets)[:200] if text else None

    def failure(
        self, failure: FailureClass, message: str, code: str | None = None, *, output_refused: bool | None = None
    ) -> Failure:
        """A failure of this exchange, scrubbed."""
        return make_failure(
            failure,
            scrub(message, self.secrets),
            service=self.service,
            http_status=self.status,
            provider_code=self.short(code),
            provider_request_id=self.request_id,
            output_refused=output_refused,
        )


def _storable(text: str) -> str:
    return text.replace("\x00", " ").encode("utf-8", "replace").decode()


_LIMITED = frozenset({FailureClass.RATE_LIMITED, FailureClass.CONCURRENCY_LIMITED})
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


def read_refusal(
    reply: Reply, phase: Phase, *, now: float, statuses: Mapping[int, FailureClass] | None = None
) -> tuple[Failure, float | None]:
    """The failure that an answer means, and the seconds until the next call where it names them.

    Also for an answer with status 200 that carries no image. `now` is in epoch seconds; `statuses` are the HTTP
    statuses that mean something else at this service than elsewhere.
    """
    error = read_error_body(reply.body)
    found = failure_class(reply.status, error, phase, statuses or {})
    code = error.codes[0] if error.codes else None
    failure = reply.failure(found, f"HTTP {reply.status}{_hint(reply)}: {error.message}", code)
    return failure, _delay_s(reply, failure, now)


def read_exception(error: Exception, phase: Phase, service: str, timeout_s: float) -> Failure:
    """The failure that a broken exchange means; `timeout_s` is the time it was given in all."""
    reason = f"{type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, _NOT_SENT):
        return make_failure(FailureClass.CONNECT_FAILED, f"no connection to {service}: {reason}", service=service)
    broken = (
        f"no whole answer within {timeout_s:g} s" if isinstance(error, TimeoutError) else f"no whole answer: {reason}"
    )
    return make_failure(unclear_class(phase), scrub(broken), service=service)


def _hint(reply: Reply) -> str:
    if reply.status < 300:  # noqa: PLR2004 - the classes of HTTP statuses
        return " without a usable image"
    # Without its query, which may hold a secret. A paid call never follows a redirect, so base_url must.
    target = reply.headers.get("location", "").partition("?")[0]
    return f" redirects to {target} (correct the service's base_url)" if target else ""


def _delay_s(reply: Reply, failure: Failure, now: float) -> float | None:
    if failure.rule.retry is Retry.NEVER:
        return None
    delay = retry_after_s(reply.headers, reply.body, now=now)
    if delay is None and failure.failure in _LIMITED:
        return rate_limit_reset_s(reply.headers)
    return delay
