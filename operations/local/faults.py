"""The fault engine that both stand-ins share: which request goes wrong, and how. No I/O while serving."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

CORRELATION_HEADER = "X-Correlation-Id"
FAULT_HEADER = "X-Fault"


class FaultKind(StrEnum):
    """What goes wrong."""

    RATE_LIMITED = "rate_limited"
    """429 with Retry-After."""
    QUOTA = "quota"
    """429 that no retry can help: insufficient_quota."""
    SERVER_ERROR = "server_error"
    """500 in the server's own error shape."""
    BARE_ERROR = "bare_error"
    """500 with an HTML page."""
    UNAVAILABLE = "unavailable"
    """503."""
    BAD_GATEWAY = "bad_gateway"
    """502."""
    SLOW = "slow"
    """Answers as usual after `seconds`."""
    HANG = "hang"
    """Never answers; holds the connection until the client goes."""
    DROP = "drop"
    """Closes the connection without work and without an answer."""
    DROP_AFTER_WORK = "drop_after_work"
    """Does the work, then closes the connection without an answer."""
    REFUSED_CONTENT = "refused_content"
    """400 moderation_blocked."""
    UNAUTHORIZED = "unauthorized"
    """401."""
    TRUNCATED_IMAGE = "truncated_image"
    """The first half of the image's bytes."""
    HTML_IMAGE = "html_image"
    """An HTML page where the image should be."""
    EMPTY_IMAGE = "empty_image"
    """Zero bytes where the image should be."""
    NO_IMAGE = "no_image"
    """200 without any image."""
    NOT_FOUND = "not_found"
    """404."""
    ERROR_IN_200 = "error_in_200"
    """HTTP 200 whose body says that it failed."""


_SPOILT_IMAGES = frozenset({FaultKind.TRUNCATED_IMAGE, FaultKind.HTML_IMAGE, FaultKind.EMPTY_IMAGE, FaultKind.NO_IMAGE})
IMAGE_FAULTS = frozenset(FaultKind) - {FaultKind.ERROR_IN_200}
"""What the local image service can do."""
CALLBACK_FAULTS = frozenset(FaultKind) - _SPOILT_IMAGES - {FaultKind.QUOTA, FaultKind.REFUSED_CONTENT}
"""What the local receiver can do."""


class FaultRule(BaseModel):
    """One fault and the requests that it hits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: str = ""
    """Part of the request text (image service: prompt; receiver: path and raw body); "" = every request."""
    kind: FaultKind
    times: int = Field(default=1, ge=0)
    """How often it hits each correlation id; 0 = always."""
    seconds: float = Field(default=2.0, ge=0, le=3600)
    """How long `slow` waits."""
    retry_after: float = Field(default=1.0, ge=0, le=86_400)
    """The Retry-After of `rate_limited` and `unavailable`, in seconds."""


class FaultRuleError(ValueError):
    """A fault that cannot be read or that this server cannot do. The message is one line for the user."""


_RULES = TypeAdapter(tuple[FaultRule, ...])


class FaultEngine:
    """Holds the rules of one server and counts how often each has hit whom."""

    def __init__(self, supported: frozenset[FaultKind], rules: Sequence[FaultRule] = ()) -> None:
        self._supported = supported
        self._rules: tuple[FaultRule, ...] = ()
        self._hits: Counter[tuple[int, str]] = Counter()
        self.replace(rules)

    def replace(self, rules: Sequence[FaultRule]) -> None:
        """Take these rules in place of all; raises `FaultRuleError` for a kind that the server cannot do."""
        for rule in rules:
            self._check(rule)
        self._rules = tuple(rules)
        self._hits.clear()

    def choose(self, text: str, correlation_id: str | None, one_shot: str | None = None) -> FaultRule | None:
        """The fault for this request, if any; counts it.

        `one_shot` is the value of an X-Fault header and goes before every rule. Without a correlation id the
        text itself identifies the request. Raises `FaultRuleError` for a one-shot that cannot be read.
        """
        if one_shot:
            return self._check(parse_one_shot(one_shot))
        matching = [(index, rule) for index, rule in enumerate(self._rules) if rule.match in text]
        if not matching:
            return None
        who = correlation_id or hashlib.sha256(text.encode(errors="replace")).hexdigest()
        for index, rule in matching:
            if not rule.times or self._hits[index, who] < rule.times:
                self._hits[index, who] += 1
                return rule
        return None

    def _check(self, rule: FaultRule) -> FaultRule:
        if rule.kind not in self._supported:
            raise FaultRuleError(f"kind: {rule.kind} is not one of {', '.join(sorted(self._supported))}")
        return rule


def parse_rules(content: str | bytes) -> tuple[FaultRule, ...]:
    """Read a JSON list of rules; raises `FaultRuleError`."""
    try:
        return _RULES.validate_json(content)
    except ValidationError as error:
        raise FaultRuleError(first_problem(error)) from None


def read_rules(path: Path) -> tuple[FaultRule, ...]:
    """Read a JSON file of rules; raises `FaultRuleError` that names the file."""
    try:
        return parse_rules(path.read_bytes())
    except OSError as error:
        raise FaultRuleError(f"{path}: cannot be read ({error.strerror})") from None
    except FaultRuleError as error:
        raise FaultRuleError(f"{path}: {error}") from None


def parse_one_shot(header: str) -> FaultRule:
    """Read an X-Fault header, e.g. `rate_limited; retry_after=3`; raises `FaultRuleError`."""
    kind, *parameters = (part.strip() for part in header.split(";"))
    fields = dict(part.partition("=")[::2] for part in parameters)
    try:
        return FaultRule.model_validate({**fields, "kind": kind})
    except ValidationError as error:
        raise FaultRuleError(f"{FAULT_HEADER}: {first_problem(error)}") from None


def first_problem(error: ValidationError) -> str:
    """The first problem as one line: where, and what is wrong."""
    detail = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in detail["loc"])
    message = detail["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
