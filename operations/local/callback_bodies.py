"""The callback bodies of the five HTTP dialects (contract 3), as the local receiver demands them. Pure.

Written from the contract and not from the code that renders callbacks, so that each checks the other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class CallbackBodyError(ValueError):
    """A body that does not keep its dialect. The message is one line that names the field."""


@dataclass(frozen=True, slots=True)
class ImageSource:
    """Where an image is, and what the body claims about it; a claim is None where the body makes none."""

    base64: str | None = None
    url: str | None = None
    """http(s) URL or data: URI."""
    media_type: str | None = None
    size: int | None = None
    """Bytes."""
    width: int | None = None
    height: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """What a callback says, whatever its dialect: images, or an error."""

    request_id: str
    images: tuple[ImageSource, ...] = ()
    error_code: str | None = None
    error_message: str | None = None

    @property
    def completed(self) -> bool:
        """Whether the request succeeded."""
        return bool(self.images)


class _Part(BaseModel):
    # What Odoo gets is JSON of the documented types, so nothing is converted.
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class CallbackBody(_Part, ABC):
    """What all dialects share."""

    @abstractmethod
    def notice(self) -> Notice:
        """The content without its dialect; raises `CallbackBodyError`."""

    def secret(self) -> str | None:
        """The shared secret, where the body carries one."""
        return None


class _EventMetadata(_Part):
    format: str
    size: int
    width: int
    height: int


class EventBody(CallbackBody):
    """Contract 3.1."""

    request_id: str = Field(alias="requestId", min_length=1)
    correlation_id: str = Field(alias="correlationId", min_length=1)
    status: Literal["completed", "failed"]
    image_url: str | None = Field(default=None, alias="imageUrl")
    image_data: str | None = Field(default=None, alias="imageData")
    metadata: _EventMetadata | None = Field(default=None, alias="imageMetadata")
    hash_value: str | None = Field(default=None, alias="hashValue")
    error_code: str | None = Field(default=None, alias="errorCode")
    error_message: str | None = Field(default=None, alias="errorMessage")

    def notice(self) -> Notice:
        """The content without its dialect."""
        if self.status == "failed":
            return _failed(self.request_id, self.error_code, self.error_message, "errorCode and errorMessage")
        _exactly_one(imageUrl=self.image_url, imageData=self.image_data)
        if self.metadata is None or not self.hash_value:
            raise CallbackBodyError("imageMetadata and hashValue are required where status is completed")
        source = ImageSource(
            base64=self.image_data,
            url=self.image_url,
            size=self.metadata.size,
            width=self.metadata.width,
            height=self.metadata.height,
            sha256=self.hash_value,
        )
        return Notice(self.request_id, (source,))


class CorrelationBody(CallbackBody):
    """Contract 3.2."""

    correlation_id: str = Field(alias="correlationId", min_length=1)
    status: Literal["success", "error"]
    image_url: str | None = Field(default=None, alias="imageUrl")
    image_data: str | None = Field(default=None, alias="imageData")
    content_type: str | None = Field(default=None, alias="contentType")
    metadata: dict[str, JsonValue] | None = None
    error_code: str | None = Field(default=None, alias="errorCode")
    error_message: str | None = Field(default=None, alias="errorMessage")

    def notice(self) -> Notice:
        """The content without its dialect."""
        if self.status == "error":
            return _failed(self.correlation_id, self.error_code, self.error_message, "errorCode and errorMessage")
        _exactly_one(imageUrl=self.image_url, imageData=self.image_data)
        if self.content_type is None or self.metadata is None:
            raise CallbackBodyError("contentType and metadata are required where status is success")
        source = ImageSource(base64=self.image_data, url=self.image_url, media_type=self.content_type)
        return Notice(self.correlation_id, (source,))


class _RequestMetadata(_Part):
    actual_width: int | None = None
    actual_height: int | None = None


class _RequestError(_Part):
    message: str
    code: str


class RequestBody(CallbackBody):
    """Contract 3.3."""

    request_id: str = Field(min_length=1)
    status: Literal["completed", "failed"]
    image_url: str | None = None
    image_data: str | None = None
    metadata: _RequestMetadata | None = None
    error: _RequestError | None = None

    def notice(self) -> Notice:
        """The content without its dialect."""
        if self.status == "failed":
            error = self.error or _RequestError(message="", code="")
            return _failed(self.request_id, error.code, error.message, "error.code and error.message")
        _exactly_one(image_url=self.image_url, image_data=self.image_data)
        if self.metadata is None:
            raise CallbackBodyError("metadata is required where status is completed")
        width, height = self.metadata.actual_width, self.metadata.actual_height
        source = ImageSource(base64=self.image_data, url=self.image_url, width=width, height=height)
        return Notice(self.request_id, (source,))


class _AdapterImage(_Part):
    image_url: str | None = None
    image_data_b64: str | None = None
    filename: str | None = None
    content_type: str | None = None
    metadata: dict[str, JsonValue] | None = None


class AdapterBody(CallbackBody):
    """Contract 3.4."""

    request_id: str = Field(min_length=1)
    status: Literal["success", "failure"]
    images: tuple[_AdapterImage, ...] | None = Field(default=None, strict=False)
    error_message: str | None = None
    error_code: str | None = None
    n8n_execution_id: str | None = None

    def notice(self) -> Notice:
        """The content without its dialect."""
        if self.status == "failure":
            return _failed(self.request_id, self.error_code, self.error_message, "error_code and error_message")
        if not self.images:
            raise CallbackBodyError("images: at least one is required where status is success")
        for image in self.images:
            _exactly_one(image_url=image.image_url, image_data_b64=image.image_data_b64)
        return Notice(
            self.request_id,
            tuple(
                ImageSource(base64=image.image_data_b64, url=image.image_url, media_type=image.content_type)
                for image in self.images
            ),
        )


class _EndpointData(_Part):
    image_url: str | None = None
    image_data: str | None = None
    file_format: str
    file_size: int
    width: int
    height: int
    mimetype: str


class _EndpointError(_Part):
    message: str
    details: str


class _EndpointPayload(_Part):
    status: Literal["success", "failure"]
    data: _EndpointData | None = None
    error_data: _EndpointError | None = None


class EndpointBody(CallbackBody):
    """Contract 3.5."""

    ai_generation_request_id: str = Field(min_length=1)
    security_token: str | None = None
    result_payload: _EndpointPayload

    def notice(self) -> Notice:
        """The content without its dialect."""
        payload, request_id = self.result_payload, self.ai_generation_request_id
        if payload.status == "failure":
            error = payload.error_data or _EndpointError(message="", details="")
            return _failed(request_id, error.details, error.message, "error_data.message and .details")
        data = payload.data
        if data is None:
            raise CallbackBodyError("result_payload.data is required where status is success")
        _exactly_one(image_url=data.image_url, image_data=data.image_data)
        source = ImageSource(
            base64=data.image_data,
            url=data.image_url,
            media_type=data.mimetype,
            size=data.file_size,
            width=data.width,
            height=data.height,
        )
        return Notice(request_id, (source,))

    def secret(self) -> str | None:
        """The route's own secret."""
        return self.security_token


def _failed(request_id: str, code: str | None, message: str | None, fields: str) -> Notice:
    if not code or not message:
        raise CallbackBodyError(f"{fields} are required in a failure")
    return Notice(request_id, error_code=code, error_message=message)


def _exactly_one(**named: str | None) -> None:
    if sum(bool(value) for value in named.values()) != 1:
        raise CallbackBodyError(f"exactly one of {' and '.join(named)} is required in a success")
