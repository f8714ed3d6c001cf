"""Secrets that a delivery needs: one that is missing parks the request until it is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from activities.attempts import AttemptFailedError
from contracts.errors import FailureClass, make_failure
from runtime.secrets import SecretMissingError

_T = TypeVar("_T")


def needed(read: Callable[[], _T]) -> _T:
    """What `read` gives; raises `AttemptFailedError` (CallbackRefused) where a secret is missing or unusable."""
    try:
        return read()
    except SecretMissingError as error:
        raise AttemptFailedError(make_failure(FailureClass.CALLBACK_REFUSED, str(error))) from None
