"""The data converter of clients, workers and replay: pydantic models, lean failures, encryption."""

from __future__ import annotations

from dataclasses import replace

from temporalio.api.failure.v1 import Failure as FailureMessage
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverter, PayloadConverter
from temporalio.exceptions import ApplicationError

from runtime.codec import EncryptionCodec, KeyRing

_HIDDEN = "Encoded failure"
"""What the SDKs write in place of a message that stands in the encoded attributes."""


class _FailureConverter(DefaultFailureConverter):
    """Leaves the stack trace out of failures that are raised on purpose; bugs keep theirs.

    It would only put this machine's paths into histories, which live for weeks.
    """

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: FailureMessage
    ) -> None:
        """As the default, but without the stack trace of an `ApplicationError`."""
        super().to_failure(exception, payload_converter, failure)
        if isinstance(exception, ApplicationError):
            failure.stack_trace = ""


class _HidingFailureConverter(_FailureConverter):
    """Moves message and stack trace where the codec reaches them: both may quote a prompt or an answer."""

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: FailureMessage
    ) -> None:
        """As above, with message and stack trace in the encoded attributes."""
        super().to_failure(exception, payload_converter, failure)
        hidden = {"message": failure.message, "stack_trace": failure.stack_trace}
        failure.encoded_attributes.CopyFrom(payload_converter.to_payloads([hidden])[0])
        failure.message, failure.stack_trace = _HIDDEN, ""


def data_converter(keys: KeyRing) -> DataConverter:
    """The converter that encrypts with the active key; without keys it says which one an encrypted payload needs."""
    failures = _FailureConverter if keys.active is None else _HidingFailureConverter
    return replace(pydantic_data_converter, failure_converter_class=failures, payload_codec=EncryptionCodec(keys))
