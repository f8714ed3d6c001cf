"""The error taxonomy against the contract's table."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import errors
from contracts.errors import MESSAGE_LIMIT, RULES, Ending, Failure, FailureClass, Retry, make_failure
from tests.contracts.strategies import hostile_text

CONTRACT = """
InvalidRequest                                             INPUT_VALIDATION_ERROR    never         rejected
ContentRejected                                            CONTENT_REJECTED          never         rejected
ConnectFailed ProviderOverloaded ProviderInternal          AI_SERVICE_UNAVAILABLE    backoff       dead_letter
RateLimited ConcurrencyLimited                             AI_RATE_LIMITED           when_allowed  dead_letter
JobTimedOut                                                AI_SERVICE_TIMEOUT        never         dead_letter
OutcomeUnknown JobLost                                     AI_OUTCOME_UNKNOWN        never         dead_letter
QuotaExhausted                                             AI_QUOTA_EXHAUSTED        never         dead_letter
AuthenticationFailed PermissionDenied ModelNotFound        AI_CONFIGURATION_ERROR    never         dead_letter
GenerationFailed                                           AI_GENERATION_FAILED      never         dead_letter
ArtifactExpired ProtocolError                              IMAGE_EXTRACTION_FAILURE  never         dead_letter
ArtifactInvalid                                            IMAGE_EXTRACTION_FAILURE  backoff       dead_letter
JobCancelled Cancelled                                     CANCELLED                 never         cancelled
Expired                                                    EXPIRED                   never         failed
CallbackRefused                                            N8N_WORKFLOW_FAILURE      never         dead_letter
CallbackUndeliverable Internal                             N8N_WORKFLOW_FAILURE      backoff       dead_letter
"""
"""Contract section 5: classes, wire code, retried, ends as. An operator's redrive is what generates anew."""


def _rows() -> dict[str, tuple[str, str, str]]:
    lines = [line.split() for line in CONTRACT.strip().splitlines()]
    return {name: (code, retry, ending) for *names, code, retry, ending in lines for name in names}


def test_every_class_has_the_rule_of_the_contract() -> None:
    assert set(RULES) == set(FailureClass)
    assert {name: (rule.code, rule.retry, rule.ending) for name, rule in RULES.items()} == _rows()


def test_the_drawn_tree_names_every_class_once() -> None:
    branches = re.findall(r"^    [|`]- (.*)$", errors.__doc__ or "", re.MULTILINE)
    drawn = Counter(name for branch in branches for name in re.findall(r"\b[A-Z]\w+", branch))
    assert drawn == Counter(str(failure) for failure in FailureClass)


@pytest.mark.parametrize("failure", sorted(FailureClass))
def test_every_rule_speaks_in_sentences(failure: FailureClass) -> None:
    rule = RULES[failure]
    for sentence in (rule.sentence, rule.remedy):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
    assert rule.ending is not Ending.REJECTED or rule.retry is Retry.NEVER


def test_odoo_is_told_the_sentence_the_detail_and_the_services_code() -> None:
    failure = make_failure(FailureClass.CONTENT_REJECTED, "Not safe.", provider_code="moderation_blocked")
    assert failure.told == (
        "The image service refused the content of this request. Not safe. (code of the service: moderation_blocked)"
    )
    repeated = make_failure(
        FailureClass.CONTENT_REJECTED, "Blocked: moderation_blocked", provider_code="moderation_blocked"
    )
    assert repeated.told.count("moderation_blocked") == 1
    assert make_failure(FailureClass.CANCELLED, "").told == "The request was cancelled."


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(sorted(FailureClass)), hostile_text(), st.integers(1, 400))
def test_a_failure_is_short_one_line_and_storable(failure: FailureClass, text: str, times: int) -> None:
    made = make_failure(failure, text * times, provider_code=text * times, http_status=500)
    for line in (made.message, made.provider_code or ""):
        assert len(line) <= MESSAGE_LIMIT
        assert len(line.splitlines()) <= 1
        assert "\x00" not in line
    assert Failure.model_validate_json(made.model_dump_json()) == made
    assert made.rule is RULES[failure]


def test_what_is_cut_is_marked() -> None:
    assert make_failure(FailureClass.INTERNAL, "x" * 501).message == "x" * 499 + "…"
    assert make_failure(FailureClass.INTERNAL, "x" * 500).message == "x" * 500
