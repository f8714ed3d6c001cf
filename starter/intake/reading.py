"""Taking a webhook body: secret checked and dropped, parsed, target allowed, started, acknowledged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pydantic_core
import structlog
from pydantic import JsonValue
from starlette.responses import Response
from temporalio.client import Client
from temporalio.service import RPCError

from contracts.requests import Intake, RequestReference
from contracts.search_attributes import keyword
from runtime.secrets import resolve_any
from runtime.settings import Settings
from runtime.temporal import TemporalUnreachableError
from starter.access.authentication import equals_any
from starter.intake.callback_origins import origin_problem
from starter.intake.records import record_intake
from starter.intake.repeats import UndatedPost, start_unless_repeated
from starter.intake.starting import Started, StartResult, start
from starter.intake.submission import CANONICAL_LIMIT, CallerHints, Submission, submission
from starter.wire import n8n_answers
from starter.wire.bodies import too_large
from starter.wire.refusals import RefusedError, Result
from starter.wire.routing import Webhook

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """A request that is durable, and its acknowledgement."""

    result: Result
    answer: Response
    request_id: str
    workflow_id: str
    run_id: str | None
    reference: RequestReference


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What would have been started, and its acknowledgement."""

    submission: Submission
    intake: Intake
    answer: Response
    repeats_within_s: float | None = None
    """Seconds in which an equal request is the same one; None where the id alone says which it is."""


class WebhookIntake:
    """Takes bodies into Temporal."""

    def __init__(self, settings: Settings, client: Client) -> None:
        self._settings = settings
        self._client = client

    async def take(self, webhook: Webhook, body: Mapping[str, JsonValue], hints: CallerHints) -> Taken:
        """Start the request's workflow, once; raises `RefusedError`."""
        rehearsed = self.rehearse(webhook, body, hints)
        prepared, started = await self._start(webhook, rehearsed, hints)
        reference = prepared.input.reference
        if started.result is StartResult.OTHER:
            raise _conflict(reference.request_id)
        result = Result.ACCEPTED if started.result is StartResult.NEW else Result.DEDUPLICATED
        request_id = keyword(reference.request_id)
        return Taken(result, rehearsed.answer, request_id, prepared.workflow_id, started.run_id, reference)

    def rehearse(self, webhook: Webhook, body: Mapping[str, JsonValue], hints: CallerHints) -> Rehearsed:
        """Do everything but the start; raises `RefusedError`."""
        intake, repeats_within_s = self._parsed(webhook, without_secret(webhook, body))
        _check_origin(webhook, intake)
        prepared = submission(self._settings, webhook.name, intake, hints)
        _check_size(prepared)
        answer = webhook.fixed_answer.to(webhook.dialect.acknowledge(intake.reference))
        return Rehearsed(prepared, intake, answer, repeats_within_s)

    def _parsed(self, webhook: Webhook, body: Mapping[str, JsonValue]) -> tuple[Intake, float | None]:
        record = webhook.settings.record
        if record is None:
            return webhook.dialect.parse(body), None
        parsed = record_intake(record, body, self._settings.odoos[webhook.settings.odoo].database)
        is_timed = parsed.intake.record is not None and not parsed.is_dated
        return parsed.intake, record.repeat_window_s if is_timed else None

    async def _start(self, webhook: Webhook, rehearsed: Rehearsed, hints: CallerHints) -> tuple[Submission, Started]:
        prepared, request_id = rehearsed.submission, rehearsed.intake.reference.request_id
        deadline_s, window_s = self._settings.starter.start_deadline_s, rehearsed.repeats_within_s

        def under(other_id: str) -> Submission:
            reference = rehearsed.intake.reference.model_copy(update={"request_id": other_id})
            intake = rehearsed.intake.model_copy(update={"reference": reference})
            return submission(self._settings, webhook.name, intake, hints)

        try:
            if window_s is None:
                return prepared, await start(self._client, prepared, deadline_s)
            post = UndatedPost(request_id, datetime.now(UTC), window_s)
            return await start_unless_repeated(self._client, post, under, deadline_s)
        except TemporalUnreachableError as error:
            _log.warning("temporal_unavailable", request_id=keyword(request_id), reason=str(error))
        except RPCError as error:
            _log.error("temporal_refused_start", request_id=keyword(request_id), **_refusal_fields(error))
        raise unavailable(self._settings.starter.retry_after_s, request_id)


def without_secret(webhook: Webhook, body: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """The body without the dialect's secret field, which is checked first where the route has a token.

    Raises `RefusedError` (403) and `SecretMissingError`.
    """
    field, token = webhook.dialect.secret_field, webhook.settings.security_token
    if field is None:
        return body
    if token is not None:
        given = body.get(field)
        if not equals_any((given if isinstance(given, str) else "").encode("utf-8", "replace"), resolve_any(token)):
            raise RefusedError(Result.REFUSED_CREDENTIALS, n8n_answers.denied(403, n8n_answers.HEADER_WRONG))
    return {name: value for name, value in body.items() if name != field}


def unavailable(retry_after_s: int, request_id: str | None = None) -> RefusedError:
    """The refusal (503) while a request cannot be made durable."""
    message = "The request was not taken because the orchestrator is not available. Send it again."
    answer = n8n_answers.error_answer(503, message, headers={"Retry-After": str(retry_after_s)})
    return RefusedError(Result.UNAVAILABLE, answer, request_id)


def _check_origin(webhook: Webhook, intake: Intake) -> None:
    problem = origin_problem(intake.callback_url, webhook.origins) if intake.callback_url else None
    if problem:
        answer = n8n_answers.error_answer(422, problem)
        raise RefusedError(Result.REFUSED_ORIGIN, answer, intake.reference.request_id)


def _check_size(prepared: Submission) -> None:
    request_id = prepared.input.reference.request_id
    try:
        size = len(pydantic_core.to_json(prepared.input))
    except ValueError:
        answer = n8n_answers.unparsable("The body holds a character that is not valid text")
        raise RefusedError(Result.REFUSED_BODY, answer, request_id) from None
    if size > CANONICAL_LIMIT:
        message = f"The request has {size} bytes of content; {CANONICAL_LIMIT} are allowed."
        raise too_large(message, request_id)


def _conflict(request_id: str) -> RefusedError:
    message = "This request id was taken before with other content: send new content under a new id."
    return RefusedError(Result.CONFLICT, n8n_answers.error_answer(409, message), request_id)


def _refusal_fields(error: RPCError) -> dict[str, str]:
    fields = {"status": error.status.name, "reason": error.message[:300]}
    if "search attribute" in error.message.lower():
        fields["remedy"] = "register the search attributes in this Temporal namespace: orchestrator bootstrap"
    return fields
