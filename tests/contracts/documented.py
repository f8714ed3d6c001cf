"""What contract.md documents of every dialect, as data for the one suite that all dialects share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from contracts.dialects import CallbackFacts, DeliveredImage
from contracts.errors import FailureClass, make_failure
from contracts.requests import Envelope, GeneratedImages, ImageRequest, StoredImage

Body = dict[str, JsonValue]

FIRST = StoredImage(sha256="a" * 64, media_type="image/png", size=68, width=1024, height=768, seed=42)
SECOND = StoredImage(sha256="b" * 64, media_type="image/jpeg", size=90, width=512, height=512)
ONE = GeneratedImages(service="fake", model="fake-model-1", images=(FIRST,))
TWO = GeneratedImages(service="fake", model="fake-model-1", images=(FIRST, SECOND))
INLINE = (DeliveredImage(FIRST, base64="aW1hZ2U="), DeliveredImage(SECOND, base64="c2Vjb25k"))
LINKED = (DeliveredImage(FIRST, url="https://us.example/1"), DeliveredImage(SECOND, url="https://us.example/2"))
FACTS = CallbackFacts(execution_id="fake-run-1", security_token="made-up-own-token")
FAILURE = make_failure(FailureClass.RATE_LIMITED, "Asked to wait for two days.")
TOLD = "The image service's rate limit was still exceeded at the deadline. Asked to wait for two days."

WRONG: Mapping[str, tuple[JsonValue, ...]] = {
    "text": (1, 1.5, True, [], {}, "nul \x00", "half \ud800"),
    "id": (1.5, True, [], {}, 2**64, "nul \x00"),
    "integer": ("many", "1.5", 1.5, True, [], {}, 2**63, "9223372036854775808", "1_0"),
    "number": ("much", True, [], {}, "nan", "1_0", float("inf"), 10**400),
    "size": (1024, True, [], "big", "1024", "0x512", "512x000", "1024x1024x3"),
    "ratio": (1.5, True, {}, "wide", "16:0", "0:9", "16/9"),
    "object": (1, True, [], "text"),
}
"""Values of the wrong type, by the kind of a field."""


@dataclass(frozen=True)
class Documented:
    """One dialect."""

    identifier: str
    """The field that names the request."""
    required: tuple[str, ...]
    fields: Mapping[str, str]
    """Dotted path -> kind, as in `WRONG`."""
    canonical: ImageRequest
    """What the full example means."""
    acknowledgement: Body
    success: Body
    """For `ONE` inline."""
    image_path: str
    """Dotted path of the object that holds the (first) image in a success."""
    image_names: tuple[str, str]
    """Of the URL and of the base64 text."""
    count_path: str | None
    """Where a success says how many images there are; None = it carries all."""
    failure: Body
    header: str
    envelope: Envelope = "plain"
    secret: str | None = None
    callback_url: str | None = None
    identifying: tuple[str, ...] = ()
    """All fields without which there is no id, where there are several."""
    request_id: str | None = None
    """The full example's, where it is made of these."""
    custom: str | None = None
    """The object whose unknown fields are custom ("" = the body itself)."""


_STARTED: Body = {"message": "Workflow was started"}
_FULL = ImageRequest(
    prompt="a red fox in the snow",
    negative_prompt="text, watermark",
    width=1024,
    height=768,
    aspect_ratio="4:3",
    seed=42,
    steps=28,
    cfg_scale=3.5,
)


def _meant(**own: JsonValue) -> ImageRequest:
    return ImageRequest.model_validate({**_FULL.model_dump(), **own})


def _kinds(**names: str) -> dict[str, str]:
    return {name: kind for kind, listed in names.items() for name in listed.split()}


_SNAKE = _kinds(
    text="prompt negative_prompt", size="resolution", ratio="aspect_ratio", integer="seed", number="cfg_scale"
)

DOCUMENTED: Mapping[str, Documented] = {
    "event": Documented(
        identifier="requestId",
        required=("requestId", "correlationId", "prompt"),
        fields=_kinds(
            id="requestId correlationId userId campaignId",
            text="callbackUrl prompt negativePrompt modelId",
            size="resolution",
            ratio="aspectRatio",
            integer="seed inferenceSteps",
            number="cfgScale",
        ),
        canonical=_meant(model="fake-model-1", user_id="7", campaign_id="31"),
        acknowledgement={
            "status": "received",
            "message": "AI image generation request queued.",
            "correlationId": "fake-correlation-2",
        },
        success={
            "requestId": "fake-event-2",
            "correlationId": "fake-correlation-2",
            "status": "completed",
            "imageData": "aW1hZ2U=",
            "imageMetadata": {"format": "png", "size": 68, "width": 1024, "height": 768},
            "hashValue": "a" * 64,
        },
        image_path="",
        image_names=("imageUrl", "imageData"),
        count_path="imageMetadata.imageCount",
        failure={
            "requestId": "fake-event-2",
            "correlationId": "fake-correlation-2",
            "status": "failed",
            "errorCode": "AI_RATE_LIMITED",
            "errorMessage": TOLD,
        },
        header="X-Api-Key",
        callback_url="callbackUrl",
    ),
    "correlation": Documented(
        identifier="correlation_id",
        required=("correlation_id", "prompt", "model_preference"),
        fields={
            **_SNAKE,
            **_kinds(
                text="correlation_id model_preference",
                integer="inference_steps",
                id="campaign_id user_id influencer_profile_id",
            ),
        },
        canonical=_meant(service_hint="FLUX", user_id="7", campaign_id="31", profile_id="12"),
        acknowledgement={
            "status": "received",
            "message": "AI image generation request queued.",
            "correlationId": "00000000-0000-4000-8000-000000000002",
        },
        success={
            "correlationId": "00000000-0000-4000-8000-000000000002",
            "status": "success",
            "imageData": "aW1hZ2U=",
            "contentType": "image/png",
            "metadata": {
                "width": 1024,
                "height": 768,
                "size": 68,
                "sha256": "a" * 64,
                "seed": 42,
                "model": "fake-model-1",
            },
        },
        image_path="",
        image_names=("imageUrl", "imageData"),
        count_path="metadata.imageCount",
        failure={
            "correlationId": "00000000-0000-4000-8000-000000000002",
            "status": "error",
            "errorCode": "AI_RATE_LIMITED",
            "errorMessage": TOLD,
        },
        header="X-Api-Key",
    ),
    "request": Documented(
        identifier="request_id",
        required=("request_id", "prompt", "ai_service_type", "resolution", "aspect_ratio"),
        fields={
            **_SNAKE,
            **_kinds(id="request_id user_id campaign_id", text="ai_service_type model_name model_id", integer="steps"),
        },
        canonical=_meant(
            model="fake-model-1",
            service_hint="STABILITY_AI",
            user_id="7",
            campaign_id="31",
            custom={"sampler": "euler", "lora": {"name": "fake-lora", "weight": 0.8}},
        ),
        acknowledgement=_STARTED,
        success={
            "request_id": "fake-request-2",
            "status": "completed",
            "image_data": "aW1hZ2U=",
            "metadata": {
                "seed_used": 42,
                "actual_width": 1024,
                "actual_height": 768,
                "model_used_identifier": "fake-model-1",
            },
        },
        image_path="",
        image_names=("image_url", "image_data"),
        count_path="metadata.image_count",
        failure={
            "request_id": "fake-request-2",
            "status": "failed",
            "error": {"message": TOLD, "code": "AI_RATE_LIMITED"},
        },
        header="X-Api-Key",
        custom="",
    ),
    "adapter": Documented(
        identifier="request_id",
        required=("request_id", "prompt", "user_id", "influencer_profile_id"),
        fields={
            **_SNAKE,
            **_kinds(
                text="request_id model_id",
                integer="user_id influencer_profile_id campaign_id inference_steps",
                object="custom_params",
            ),
        },
        canonical=_meant(
            model="fake-model-1", user_id="7", campaign_id="31", profile_id="12", custom={"sampler": "euler"}
        ),
        acknowledgement=_STARTED,
        success={
            "request_id": "fake-adapter-2",
            "status": "success",
            "images": [
                {
                    "image_data_b64": "aW1hZ2U=",
                    "filename": "fake-adapter-2-1.png",
                    "content_type": "image/png",
                    "metadata": {"width": 1024, "height": 768, "size": 68, "sha256": "a" * 64, "seed": 42},
                }
            ],
            "n8n_execution_id": "fake-run-1",
        },
        image_path="images.0",
        image_names=("image_url", "image_data_b64"),
        count_path=None,
        failure={
            "request_id": "fake-adapter-2",
            "status": "failure",
            "error_message": TOLD,
            "error_code": "AI_RATE_LIMITED",
            "n8n_execution_id": "fake-run-1",
        },
        header="X-N8N-Signature",
        envelope="jsonrpc",
        custom="custom_params",
    ),
    "endpoint": Documented(
        identifier="ai_generation_request_id",
        required=("ai_generation_request_id", "params", "params.prompt", "odoo_callback_url"),
        fields={
            **{f"params.{name}": kind for name, kind in _SNAKE.items()},
            **_kinds(
                text="ai_generation_request_id odoo_callback_url params.model_id",
                object="params",
                integer="params.inference_steps",
            ),
        },
        canonical=_meant(model="fake-model-1", custom={"sampler": "euler"}),
        acknowledgement=_STARTED,
        success={
            "ai_generation_request_id": "fake-endpoint-2",
            "security_token": "made-up-own-token",
            "result_payload": {
                "status": "success",
                "data": {
                    "image_data": "aW1hZ2U=",
                    "file_format": "png",
                    "file_size": 68,
                    "width": 1024,
                    "height": 768,
                    "mimetype": "image/png",
                },
            },
        },
        image_path="result_payload.data",
        image_names=("image_url", "image_data"),
        count_path="result_payload.data.image_count",
        failure={
            "ai_generation_request_id": "fake-endpoint-2",
            "security_token": "made-up-own-token",
            "result_payload": {"status": "failure", "error_data": {"message": TOLD, "details": "AI_RATE_LIMITED"}},
        },
        header="X-N8N-Webhook-Token",
        envelope="jsonrpc",
        secret="security_token",
        callback_url="odoo_callback_url",
        custom="params",
    ),
    "odoo_action": Documented(
        identifier="_id",
        identifying=("_action", "_id", "_model"),
        request_id="res.partner:11:2026-11-23 04:01:41.554766:Send to AI(#163)",
        required=("_action", "_id", "_model"),
        fields={
            **_SNAKE,
            **_kinds(
                text="_action _model model service write_date",
                integer="_id steps",
                id="user_id campaign_id profile_id",
            ),
        },
        canonical=_meant(
            model="fake-model-1", service_hint="STABILITY_AI", user_id="7", campaign_id="31", profile_id="12"
        ),
        acknowledgement=_STARTED,
        success={
            "request_id": "res.partner:11:2026-11-23 04:01:41.554766:Send to AI(#163)",
            "status": "completed",
            "image_data": "aW1hZ2U=",
            "metadata": {
                "width": 1024,
                "height": 768,
                "size": 68,
                "sha256": "a" * 64,
                "seed": 42,
                "model": "fake-model-1",
            },
        },
        image_path="",
        image_names=("image_url", "image_data"),
        count_path="metadata.image_count",
        failure={
            "request_id": "res.partner:11:2026-11-23 04:01:41.554766:Send to AI(#163)",
            "status": "failed",
            "error": {"message": TOLD, "code": "AI_RATE_LIMITED"},
        },
        header="X-Api-Key",
    ),
}
