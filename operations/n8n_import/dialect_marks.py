"""What each dialect is known by on the wire: the fields it asks for and sends, its paths, headers and words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Marks:
    """One dialect's names. `asked` and `sent` leave out what every dialect has."""

    asked: frozenset[str]
    """Fields of the webhook's body."""
    sent: frozenset[str]
    """Fields of the callback's body."""
    words: frozenset[str]
    """Values of the callback's `status`."""
    callback_path: str
    """As documented."""
    webhook_path: str | None = None
    headers: frozenset[str] = frozenset()
    """Headers that carry the secret, in lower case."""
    request_header: str = "X-Api-Key"
    """The header of a webhook with header authentication."""


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


MARKS: Mapping[str, Marks] = MappingProxyType(
    {
        "event": Marks(
            _set(
                "requestId correlationId callbackUrl userId negativePrompt modelId aspectRatio inferenceSteps cfgScale"
                " campaignId"
            ),
            _set("requestId correlationId status imageUrl imageData imageMetadata hashValue errorCode errorMessage"),
            _set("completed failed"),
            "/callback/event",
        ),
        "correlation": Marks(
            _set(
                "correlation_id model_preference negative_prompt aspect_ratio inference_steps cfg_scale campaign_id"
                " user_id influencer_profile_id"
            ),
            _set("correlationId status imageUrl imageData contentType metadata errorCode errorMessage"),
            _set("success error"),
            "/api/influencegen/image_result_callback",
            "influencegen/ai/image_generate",
        ),
        "request": Marks(
            _set(
                "request_id ai_service_type model_name model_id negative_prompt aspect_ratio steps cfg_scale user_id"
                " campaign_id"
            ),
            _set("request_id status image_url image_data metadata error"),
            _set("completed failed"),
            "/api/influencegen/ai_image_callback",
            "influencegen/ai-image-generate",
        ),
        "adapter": Marks(
            _set(
                "request_id user_id influencer_profile_id model_id negative_prompt aspect_ratio inference_steps"
                " cfg_scale campaign_id custom_params"
            ),
            _set("request_id status images error_message error_code n8n_execution_id"),
            _set("success failure"),
            "/influence_gen/n8n/ai_callback",
            headers=_set("x-n8n-signature"),
        ),
        "endpoint": Marks(
            _set("ai_generation_request_id params odoo_callback_url security_token"),
            _set("ai_generation_request_id security_token result_payload"),
            frozenset(),
            "/influence_gen/ai/callback/image_result",
            headers=_set("x-n8n-webhook-token x-n8n-api-key"),
            request_header="X-N8N-Api-Key",
        ),
    }
)
"""By dialect, the canonical one first: it is chosen where nothing speaks for any."""
