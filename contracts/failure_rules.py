"""The one rule of each failure class: wire code, sentence for Odoo, remedy for the operator, retry, ending, actor."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from contracts.taxonomy import Actor, Ending, FailureClass, Retry, Rule


def _dead(code: str, retry: Retry, actor: Actor, sentence: str, remedy: str) -> Rule:
    return Rule(code, sentence, remedy, retry, Ending.DEAD_LETTER, actor)


_UNAVAILABLE, _LIMITED, _CONFIGURATION = "AI_SERVICE_UNAVAILABLE", "AI_RATE_LIMITED", "AI_CONFIGURATION_ERROR"
_UNKNOWN, _EXTRACTION, _OURS = "AI_OUTCOME_UNKNOWN", "IMAGE_EXTRACTION_FAILURE", "N8N_WORKFLOW_FAILURE"

RULES: Mapping[FailureClass, Rule] = MappingProxyType(
    {
        FailureClass.INVALID_REQUEST: Rule(
            "INPUT_VALIDATION_ERROR",
            "The request is not valid.",
            "Correct the named field in Odoo and send it as a new request.",
            Retry.NEVER,
            Ending.REJECTED,
            Actor.SENDER,
        ),
        FailureClass.CONTENT_REJECTED: Rule(
            "CONTENT_REJECTED",
            "The image service refused the content of this request.",
            "Change the prompt in Odoo and send it as a new request.",
            Retry.NEVER,
            Ending.REJECTED,
            Actor.SENDER,
        ),
        FailureClass.CONNECT_FAILED: _dead(
            _UNAVAILABLE,
            Retry.BACKOFF,
            Actor.SERVICE,
            "The image service could not be reached.",
            "Check that the service is up and its base_url is right, then redrive.",
        ),
        FailureClass.PROVIDER_OVERLOADED: _dead(
            _UNAVAILABLE,
            Retry.BACKOFF,
            Actor.SERVICE,
            "The image service is overloaded.",
            "Wait until the service has capacity again or name another service, then redrive.",
        ),
        FailureClass.PROVIDER_INTERNAL: _dead(
            _UNAVAILABLE,
            Retry.BACKOFF,
            Actor.SERVICE,
            "The image service failed with an internal error.",
            "Check the service's status page or name another service, then redrive.",
        ),
        FailureClass.RATE_LIMITED: _dead(
            _LIMITED,
            Retry.WHEN_ALLOWED,
            Actor.SERVICE,
            "The image service's rate limit was still exceeded at the deadline.",
            "Lower the request rate or raise the account's limit, then redrive.",
        ),
        FailureClass.CONCURRENCY_LIMITED: _dead(
            _LIMITED,
            Retry.WHEN_ALLOWED,
            Actor.SERVICE,
            "The image service had no free slot until the deadline.",
            "Lower the concurrency or raise the account's limit, then redrive.",
        ),
        FailureClass.JOB_TIMED_OUT: _dead(
            "AI_SERVICE_TIMEOUT",
            Retry.NEVER,
            Actor.OPERATOR,
            "The image service did not finish in time.",
            "Redrive to look for the finished image; to start (and pay for) a new one, redrive with generate again.",
        ),
        FailureClass.OUTCOME_UNKNOWN: _dead(
            _UNKNOWN,
            Retry.NEVER,
            Actor.OPERATOR,
            "It is not known whether the image service made and billed the image.",
            "Look into the service's own log or bill; to pay for a new image, redrive with generate again.",
        ),
        FailureClass.JOB_LOST: _dead(
            _UNKNOWN,
            Retry.NEVER,
            Actor.OPERATOR,
            "The image service no longer knows the job.",
            "Look into the service's own log or bill; to pay for a new image, redrive with generate again.",
        ),
        FailureClass.QUOTA_EXHAUSTED: _dead(
            "AI_QUOTA_EXHAUSTED",
            Retry.NEVER,
            Actor.OPERATOR,
            "The image service's quota or credit is used up.",
            "Add credit to the account or name another service, then redrive.",
        ),
        FailureClass.AUTHENTICATION_FAILED: _dead(
            _CONFIGURATION,
            Retry.NEVER,
            Actor.OPERATOR,
            "The image service did not accept our credentials.",
            "Correct the service's auth setting or its secret, then redrive.",
        ),
        FailureClass.PERMISSION_DENIED: _dead(
            _CONFIGURATION,
            Retry.NEVER,
            Actor.OPERATOR,
            "The image service denies this account what was asked.",
            "Give the account access or name another service, then redrive.",
        ),
        FailureClass.MODEL_NOT_FOUND: _dead(
            _CONFIGURATION,
            Retry.NEVER,
            Actor.OPERATOR,
            "The image service does not know the model or path.",
            "Correct the service's model or base_url setting, or redrive with another model.",
        ),
        FailureClass.GENERATION_FAILED: _dead(
            "AI_GENERATION_FAILED",
            Retry.NEVER,
            Actor.OPERATOR,
            "The image service could not make this image.",
            "Redrive with generate again, other parameters or another service.",
        ),
        FailureClass.ARTIFACT_EXPIRED: _dead(
            _EXTRACTION,
            Retry.NEVER,
            Actor.OPERATOR,
            "The finished image is no longer there to download.",
            "Redrive with generate again to pay for a new image.",
        ),
        FailureClass.ARTIFACT_INVALID: _dead(
            _EXTRACTION,
            Retry.BACKOFF,
            Actor.OPERATOR,
            "What the image service delivered is not a usable image.",
            "Redrive to download it again; to pay for a new image, redrive with generate again.",
        ),
        FailureClass.PROTOCOL_ERROR: _dead(
            _EXTRACTION,
            Retry.NEVER,
            Actor.OPERATOR,
            "The image service answered in a form we do not understand.",
            "Check the service's kind and fields settings; to pay for a new image, redrive with generate again.",
        ),
        FailureClass.JOB_CANCELLED: Rule(
            "CANCELLED",
            "The image service cancelled the job.",
            "Send it again from Odoo if it is still wanted.",
            Retry.NEVER,
            Ending.CANCELLED,
            Actor.NOBODY,
        ),
        FailureClass.CALLBACK_REFUSED: _dead(
            _OURS,
            Retry.NEVER,
            Actor.ODOO,
            "Odoo refused the callback.",
            "Correct the callback's address or secret here, or the record in Odoo, then redrive: "
            "no new image is paid for.",
        ),
        FailureClass.CALLBACK_UNDELIVERABLE: _dead(
            _OURS,
            Retry.BACKOFF,
            Actor.ODOO,
            "The callback could not be delivered.",
            "Check that Odoo is up and reachable, then redrive: no new image is paid for.",
        ),
        FailureClass.CANCELLED: Rule(
            "CANCELLED",
            "The request was cancelled.",
            "Send it again from Odoo under a new id if it is still wanted.",
            Retry.NEVER,
            Ending.CANCELLED,
            Actor.NOBODY,
        ),
        FailureClass.EXPIRED: Rule(
            "EXPIRED",
            "The request waited longer than allowed for an operator's decision.",
            "Send it again from Odoo; the same id may be used.",
            Retry.NEVER,
            Ending.FAILED,
            Actor.SENDER,
        ),
        FailureClass.INTERNAL: _dead(
            _OURS,
            Retry.BACKOFF,
            Actor.OPERATOR,
            "The orchestrator itself failed.",
            "Read the worker's log for this request id, repair, then redrive.",
        ),
    }
)
