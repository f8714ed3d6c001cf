"""What a fault does to an HTTP exchange, the same in both stand-ins, and the route that sets faults."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import click
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from operations.local.faults import (
    CORRELATION_HEADER,
    FAULT_HEADER,
    FaultEngine,
    FaultKind,
    FaultRule,
    FaultRuleError,
    parse_rules,
    read_rules,
)
from operations.local.serving import DroppedConnection, HeldConnection

HTML_PAGE = "<!doctype html><html><head><title>Error</title></head><body>Something went wrong</body></html>"


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An error before it takes the shape of a protocol."""

    status: int
    code: str
    message: str
    kind: str = "server_error"
    """OpenAI's `type`."""
    headers: Mapping[str, str] = field(default_factory=dict)


_ANSWERS: Mapping[FaultKind, ErrorAnswer] = MappingProxyType(
    {
        FaultKind.RATE_LIMITED: ErrorAnswer(429, "rate_limit_exceeded", "Rate limit reached: try later.", "requests"),
        FaultKind.QUOTA: ErrorAnswer(
            429,
            "insufficient_quota",
            "You exceeded your current quota: check your plan.",
            "insufficient_quota",
        ),
        FaultKind.SERVER_ERROR: ErrorAnswer(500, "server_error", "The server had an error."),
        FaultKind.UNAVAILABLE: ErrorAnswer(503, "service_unavailable", "The service is overloaded."),
        FaultKind.BAD_GATEWAY: ErrorAnswer(502, "bad_gateway", "The upstream server gave no valid answer."),
        FaultKind.REFUSED_CONTENT: ErrorAnswer(
            400,
            "moderation_blocked",
            "Your request was rejected by the safety system. safety_violations=[violence].",
            "image_generation_user_error",
        ),
        FaultKind.UNAUTHORIZED: ErrorAnswer(
            401, "invalid_api_key", "The credentials are not accepted.", "invalid_request_error"
        ),
        FaultKind.NOT_FOUND: ErrorAnswer(404, "not_found", "There is nothing here.", "invalid_request_error"),
    }
)


async def disturb(rule: FaultRule | None, shape: Callable[[ErrorAnswer], Response]) -> Response | None:
    """Do what the fault does before any work; None = go on and do the work."""
    if rule is None:
        return None
    match rule.kind:
        case FaultKind.SLOW:
            await asyncio.sleep(rule.seconds)
            return None
        case FaultKind.HANG:
            return HeldConnection()
        case FaultKind.DROP:
            return DroppedConnection()
        case FaultKind.BARE_ERROR:
            return HTMLResponse(HTML_PAGE, 500)
        case _:
            return _error(rule, shape)


def _error(rule: FaultRule, shape: Callable[[ErrorAnswer], Response]) -> Response | None:
    answer = _ANSWERS.get(rule.kind)
    if answer is None:
        return None
    response = shape(answer)
    if rule.kind in {FaultKind.RATE_LIMITED, FaultKind.UNAVAILABLE}:
        response.headers["Retry-After"] = f"{rule.retry_after:g}"
    return response


def chosen_fault(engine: FaultEngine, request: Request, text: str) -> FaultRule | None:
    """The fault for this request by its text and headers; raises `FaultRuleError` for a bad X-Fault."""
    return engine.choose(text, request.headers.get(CORRELATION_HEADER), request.headers.get(FAULT_HEADER))


def fault_route(engine: FaultEngine) -> Route:
    """`POST /faults` with a JSON list of rules, which replaces all earlier ones."""

    async def replace(request: Request) -> Response:
        try:
            rules = parse_rules(await request.body())
            engine.replace(rules)
        except FaultRuleError as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse({"rules": len(rules)})

    return Route("/faults", replace, methods=["POST"])


def rules_option(context: click.Context, parameter: click.Parameter, value: Path | None) -> tuple[FaultRule, ...]:
    """Callback of the command line's `--faults FILE`."""
    try:
        return read_rules(value) if value else ()
    except FaultRuleError as error:
        raise click.BadParameter(str(error), context, parameter) from None
