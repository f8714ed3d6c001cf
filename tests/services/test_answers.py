"""What a 2xx answer brings, as documented and as seen in the field. Self-written answers."""

from __future__ import annotations

import base64
import json

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from activities.services.answers import read_answer
from activities.services.base import InlineArtifact, RemoteArtifact, ServiceError
from activities.services.http_errors import Reply
from contracts.errors import FailureClass as Class
from tests.services.calls import picture

PNG = picture()
TEXT = base64.b64encode(PNG).decode()
URL = "https://cdn.example/a.png?signature=x"
HERE = InlineArtifact(PNG)
THERE = RemoteArtifact(url=URL)


def reply(content: JsonValue | bytes, headers: dict[str, str] | None = None, status: int = 200) -> Reply:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Reply("svc", status, httpx.Headers(headers or {}), body)


@pytest.mark.parametrize(
    ("content", "artifacts"),
    [
        ({"images": [{"b64_json": TEXT}]}, (HERE,)),
        ({"images": [{"base64": TEXT}]}, (HERE,)),
        ({"images": [{"base64": TEXT, "url": URL}]}, (HERE,)),
        ({"images": [{"b64_json": None, "url": URL}]}, (THERE,)),
        ({"images": [{"url": "HTTPS://cdn.example/x"}]}, (RemoteArtifact(url="HTTPS://cdn.example/x"),)),
        ({"images": [{"url": f"data:image/png;base64,{TEXT}"}]}, (HERE,)),
        ({"images": [{"url": f"data:image/JPEG;charset=x;base64,{TEXT}"}]}, (HERE,)),
        ({"images": [{"base64": f"data:image/webp;base64,{TEXT}"}]}, (HERE,)),
        ({"images": [{"base64": f"{TEXT[:40]}\n{TEXT[40:]}\n"}]}, (HERE,)),
        ({"images": [TEXT]}, (HERE,)),
        ({"images": [URL]}, (THERE,)),
        ({"images": [{"base64": TEXT}, {"url": URL}, {}]}, (HERE, THERE)),
        ({"images": [{"url": URL}], "seed": 7}, (RemoteArtifact(url=URL, seed=7),)),
        ({"images": [{"url": URL}], "metadata": {"seed": 8}}, (RemoteArtifact(url=URL, seed=8),)),
        ({"images": [{"url": URL, "seed": 0}], "seed": 7}, (RemoteArtifact(url=URL, seed=0),)),
        ({"images": [{"url": URL}], "seed": True}, (THERE,)),
        ({"images": [{"url": URL}], "has_nsfw_concepts": [False]}, (THERE,)),
        ({"images": [{"url": URL}, {"base64": TEXT}], "has_nsfw_concepts": [True, False]}, (HERE,)),
        ({"images": [{"url": URL, "finish_reason": "SUCCESS"}], "has_nsfw_concepts": []}, (THERE,)),
    ],
)
def test_images(content: JsonValue, artifacts: tuple[InlineArtifact | RemoteArtifact, ...]) -> None:
    assert read_answer(reply(content), "images").artifacts == artifacts


@pytest.mark.parametrize(
    ("content", "model"),
    [
        ({}, None),
        ({"model": "m"}, "m"),
        ({"metadata": {"model": "n"}}, "n"),
        ({"model": 7}, None),
        ({"metadata": 1}, None),
    ],
)
def test_model(content: dict[str, JsonValue], model: str | None) -> None:
    assert read_answer(reply({"images": [URL], **content}), "images").model == model


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<html>hello</html>", Class.PROTOCOL_ERROR),
        (b"", Class.PROTOCOL_ERROR),
        (b'{"images": [', Class.PROTOCOL_ERROR),
        (b"[" * 100_000, Class.PROTOCOL_ERROR),
        ([], Class.PROTOCOL_ERROR),
        ({}, Class.PROTOCOL_ERROR),
        ({"images": None}, Class.PROTOCOL_ERROR),
        ({"images": []}, Class.PROTOCOL_ERROR),
        ({"images": {"url": URL}}, Class.PROTOCOL_ERROR),
        ({"images": [None, {}, ""]}, Class.PROTOCOL_ERROR),
        ({"images": [{"b64_json": None}]}, Class.PROTOCOL_ERROR),
        ({"images": [{"b64_json": ""}]}, Class.PROTOCOL_ERROR),
        ({"images": [{"base64": "!!!"}]}, Class.PROTOCOL_ERROR),
        ({"images": [{"base64": "Zm9"}]}, Class.PROTOCOL_ERROR),
        ({"images": [{"base64": "ü"}]}, Class.PROTOCOL_ERROR),
        ({"images": [{"url": 7}]}, Class.PROTOCOL_ERROR),
        ({"images": [{"url": "/var/cache/models/image.jpg"}]}, Class.PROTOCOL_ERROR),
        ({"images": [{"url": "file:///etc/passwd"}]}, Class.PROTOCOL_ERROR),
        ({"images": [{"url": "ftp://cdn.example/a.png"}]}, Class.PROTOCOL_ERROR),
        ({"images": [{"url": "data:image/svg+xml;base64,PHN2Zy8+"}]}, Class.PROTOCOL_ERROR),
        ({"images": [{"url": "data:image/png,raw"}]}, Class.PROTOCOL_ERROR),
        ({"images": [{"url": URL}, {"url": "/x"}]}, Class.PROTOCOL_ERROR),
        ({"error": {"message": "out of memory"}}, Class.GENERATION_FAILED),
        ({"images": [], "error": "blocked by moderation"}, Class.CONTENT_REJECTED),
        ({"images": [], "message": "Removed: violates our content policy"}, Class.CONTENT_REJECTED),
        ({"images": [{"url": URL}], "has_nsfw_concepts": [True]}, Class.CONTENT_REJECTED),
        ({"images": [{"url": URL}], "has_nsfw_concepts": True}, Class.CONTENT_REJECTED),
        ({"images": [{"base64": "", "finish_reason": "CONTENT_FILTERED"}]}, Class.CONTENT_REJECTED),
        ({"images": [{"base64": TEXT, "finishReason": "IMAGE_SAFETY"}]}, Class.CONTENT_REJECTED),
        ({"images": [], "finish_reason": "content_filter"}, Class.CONTENT_REJECTED),
    ],
)
def test_no_image(content: JsonValue | bytes, expected: Class) -> None:
    with pytest.raises(ServiceError) as caught:
        read_answer(reply(content), "images")
    assert caught.value.failure.failure is expected
    assert caught.value.failure.http_status == 200


def test_moderation_in_a_header() -> None:
    with pytest.raises(ServiceError) as caught:
        read_answer(reply({"images": [URL]}, {"finish-reason": "CONTENT_FILTERED"}), "images")
    assert caught.value.failure.failure is Class.CONTENT_REJECTED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(TEXT) | st.just(URL),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["images", "url", "base64", "error", "seed", "metadata", "has_nsfw_concepts", "message"]),
            inner,
        )
    ),
)


@settings(max_examples=50)
@given(images=st.lists(JSON), rest=st.dictionaries(st.sampled_from(["error", "has_nsfw_concepts", "metadata"]), JSON))
def test_every_answer_has_images_or_a_failure(images: list[JsonValue], rest: dict[str, JsonValue]) -> None:
    try:
        assert read_answer(reply({"images": images, **rest}), "images").artifacts
    except ServiceError as error:
        assert error.failure.message  # noqa: PT017 - either end is right
