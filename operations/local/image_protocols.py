"""The two wire protocols of the local image service: OpenAI-compatible and Flux LoRA. Pure."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationError
from starlette.responses import JSONResponse, Response

from operations.local.fault_http import ErrorAnswer
from operations.local.faults import first_problem

Transport = Literal["base64", "url", "data_uri"]
_SIZE = re.compile(r"(\d{1,4})x(\d{1,4})")
_SIDES = range(16, 4097)
"""Pixels."""


@dataclass(frozen=True, slots=True)
class ImageOrder:
    """What a client asks for, whatever its protocol."""

    prompt: str
    model: str
    width: int
    height: int
    seed: int
    count: int
    transport: Transport
    steps: int | None = None


@dataclass(frozen=True, slots=True)
class MadeImage:
    """One image as the answer carries it: exactly one of `base64` and `url` is there."""

    seed: int
    base64: str | None = None
    url: str | None = None


class BadOrderError(ValueError):
    """A request body that the protocol refuses. The message is one line for the client."""


class WireProtocol(Protocol):
    """How a protocol reads requests and writes answers."""

    def read(self, body: bytes) -> ImageOrder:
        """The order in a request body; raises `BadOrderError`."""
        ...

    def render(self, order: ImageOrder, images: Sequence[MadeImage], at: float) -> Mapping[str, object]:
        """The body of the 200 answer; `at` in epoch seconds."""
        ...

    def refuse(self, answer: ErrorAnswer) -> Response:
        """An error in the protocol's shape."""
        ...


def _checked_size(value: str) -> str:
    match = _SIZE.fullmatch(value)
    if value != "auto" and (match is None or any(int(side) not in _SIDES for side in match.groups())):
        raise ValueError('must be "auto" or as "1024x1024", each side from 16 to 4096 pixels')
    return value


Side = Annotated[int, Field(ge=_SIDES.start, lt=_SIDES.stop)]


class _OpenAIBody(BaseModel):
    prompt: str = Field(min_length=1, max_length=32_000)
    model: str = "local-landscape"
    n: int = Field(default=1, ge=1, le=10)
    size: Annotated[str, AfterValidator(_checked_size)] = "auto"
    response_format: Literal["b64_json", "url", "data_uri"] = "b64_json"


class _FluxBody(BaseModel):
    text_prompt: str = Field(min_length=1)
    neg_prompt: str | None = None
    model: str = "flux-lora"
    width: Side = 1024
    height: Side = 1024
    seed: int | None = None
    steps: int | None = Field(default=None, ge=1)
    cfg_scale: float | None = None
    output: Literal["base64", "url"] = "base64"


class OpenAIProtocol:
    """`POST /v1/images/generations`."""

    def read(self, body: bytes) -> ImageOrder:
        """The order in a request body; raises `BadOrderError`."""
        asked = _parse(_OpenAIBody.model_validate_json, body)
        width, height = (1024, 1024) if asked.size == "auto" else map(int, asked.size.split("x"))
        transport: Transport = "base64" if asked.response_format == "b64_json" else asked.response_format
        return ImageOrder(asked.prompt, asked.model, width, height, _seed(asked.prompt), asked.n, transport)

    def render(self, order: ImageOrder, images: Sequence[MadeImage], at: float) -> Mapping[str, object]:
        """The body of the 200 answer."""
        tokens = len(order.prompt.split())
        return {
            "created": int(at),
            "data": [{"url": image.url} if image.url else {"b64_json": image.base64} for image in images],
            "output_format": "png",
            "size": f"{order.width}x{order.height}",
            "usage": {"input_tokens": tokens, "output_tokens": 0, "total_tokens": tokens},
        }

    def refuse(self, answer: ErrorAnswer) -> Response:
        """OpenAI's error object."""
        error = {"message": answer.message, "type": answer.kind, "param": None, "code": answer.code}
        return JSONResponse({"error": error}, answer.status)


class FluxProtocol:
    """`POST /generate`."""

    def read(self, body: bytes) -> ImageOrder:
        """The order in a request body; raises `BadOrderError`."""
        asked = _parse(_FluxBody.model_validate_json, body)
        seed = _seed(asked.text_prompt) if asked.seed is None else asked.seed
        return ImageOrder(asked.text_prompt, asked.model, asked.width, asked.height, seed, 1, asked.output, asked.steps)

    def render(self, order: ImageOrder, images: Sequence[MadeImage], at: float) -> Mapping[str, object]:  # noqa: ARG002 - the protocol's signature
        """The body of the 200 answer."""
        return {
            "images": [
                {
                    **({"url": image.url} if image.url else {"base64": image.base64}),
                    "seed": image.seed,
                    "width": order.width,
                    "height": order.height,
                }
                for image in images
            ],
            "metadata": {"seed": order.seed, "model": order.model, "steps": order.steps},
        }

    def refuse(self, answer: ErrorAnswer) -> Response:
        """A flat error."""
        return JSONResponse({"error": answer.message, "code": answer.code}, answer.status)


Body = TypeVar("Body", bound=BaseModel)


def _parse(validate: Callable[[bytes], Body], body: bytes) -> Body:
    try:
        json.loads(body)
        return validate(body)
    except ValidationError as error:
        raise BadOrderError(first_problem(error)) from None
    except ValueError:
        raise BadOrderError("the body is not JSON") from None


def _seed(prompt: str) -> int:
    return zlib.crc32(prompt.encode(errors="replace"))
