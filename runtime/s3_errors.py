"""What the S3 client's errors mean, in one line each that says what to do."""

from __future__ import annotations

import errno
import re

from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from runtime.store_settings import StoreSettings

_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_MISSING_BUCKET = "NoSuchBucket"
_CREDENTIAL_SOURCES = ("/latest/api/token", "/latest/meta-data", "169.254.170.", "AssumeRole", "credential")
_LINE_LIMIT = 200


class StoreFailedError(OSError):
    """The store could not do what it was asked for. The text is one line without secrets."""

    def __init__(self, line: str) -> None:
        super().__init__(errno.EIO, line)

    def __str__(self) -> str:
        return self.strerror or ""


def is_missing_bucket(error: Exception) -> bool:
    """Whether a "not found" is about the bucket and not about the key."""
    return _MISSING_BUCKET in str(error)


def failure_line(error: Exception, settings: StoreSettings) -> str:
    """What went wrong and what to do."""
    text = str(error).partition("Debug source:")[0]
    where = f"bucket {settings.bucket!r} at {settings.endpoint or 'Amazon S3'}"
    if is_missing_bucket(error):
        return f"there is no {where}: create it, or set store.bucket"
    if isinstance(error, PermissionError | PermissionDeniedError | UnauthenticatedError) or "403 Forbidden" in text:
        return f"access to {where} is denied{_code(text)}: check store.access_key_id, its secret and its rights"
    if any(source in text for source in _CREDENTIAL_SOURCES):
        return "no credentials for the store: set store.access_key_id and store.secret_access_key"
    if "Connect" in str(error) or "error sending request" in text:
        return f"{where} cannot be reached: check store.endpoint"
    status = _STATUS.search(text)
    answer = f"HTTP {status[1]}" if status else " ".join(text.split())[:_LINE_LIMIT]
    return f"{where} failed: {answer}{_code(text)}"


def _code(text: str) -> str:
    found = _CODE.search(text)
    return f" ({found[1]})" if found else ""
