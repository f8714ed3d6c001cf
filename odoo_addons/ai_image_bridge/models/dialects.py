"""The bodies of the five documented dialects: what a generation request looks like on the wire."""

import json
import math

PATHS = {
    "event": "ai/events",
    "correlation": "influencegen/ai/image_generate",
    "request": "influencegen/ai-image-generate",
    "adapter": "influence-gen/generate",
    "endpoint": "influence-gen/endpoint",
}
"""Path below /webhook/ unless the settings say otherwise."""
SECRET_HEADERS = {
    "event": ("X-Api-Key", ""),
    "correlation": ("Authorization", "Bearer "),
    "request": ("X-Api-Key", ""),
    "adapter": ("Authorization", "Bearer "),
    "endpoint": ("X-N8N-Api-Key", ""),
}
"""Header that carries the webhook's secret, and what goes before it."""
CALLBACK_PATHS = {
    "event": "/api/ai/events",
    "correlation": "/api/influencegen/image_result_callback",
    "request": "/api/influencegen/ai_image_callback",
    "adapter": "/influence_gen/n8n/ai_callback",
    "endpoint": "/influence_gen/ai/callback/image_result",
}
"""Where the outcome comes in."""
DEFAULT_RESOLUTION = "1024x1024"


def request_body(request, dialect, defaults):
    """The body of a request without secrets; `defaults` has model, service_type and callback_base_url."""
    return _BODIES[dialect](request, defaults)


def with_secret(body, dialect, security_token):
    """The body as it is sent: the dialect `endpoint` carries a secret, which is stored nowhere else."""
    if dialect == "endpoint" and security_token:
        return {**body, "security_token": security_token}
    return body


def _event(request, _defaults):
    return _without_blanks(
        {
            "requestId": request.request_key,
            "correlationId": request.request_key,
            "userId": str(request.requester_id.id),
            "prompt": request.prompt,
            "negativePrompt": request.negative_prompt,
            "modelId": request.model_name,
            "resolution": request.resolution,
            "aspectRatio": request.aspect_ratio,
            "seed": _seed(request),
            "inferenceSteps": request.inference_steps,
            "cfgScale": request.cfg_scale,
            "campaignId": request.campaign,
        }
    )


def _correlation(request, defaults):
    return _without_blanks(
        {
            "correlation_id": request.request_key,
            "model_preference": request.model_name or defaults["model"],
            **_parameters(request),
            "campaign_id": request.campaign,
            "user_id": request.requester_id.id,
            "influencer_profile_id": request.res_id,
        }
    )


def _request(request, defaults):
    custom = _custom(request)
    service_type = custom.pop("ai_service_type", None) or defaults["service_type"]
    parameters = _parameters(request)
    steps = parameters.pop("inference_steps")
    named = {
        **parameters,
        "request_id": request.request_key,
        "ai_service_type": service_type,
        "model_name": request.model_name or defaults["model"],
        "resolution": request.resolution or DEFAULT_RESOLUTION,
        "aspect_ratio": request.aspect_ratio or _ratio(request.resolution),
        "steps": steps,
        "user_id": request.requester_id.id,
        "campaign_id": request.campaign,
    }
    return {**custom, **_without_blanks(named)}


def _adapter(request, _defaults):
    custom = _custom(request)
    profile = custom.pop("influencer_profile_id", None) or request.res_id or request.requester_id.partner_id.id
    campaign = request.campaign or ""
    return _without_blanks(
        {
            "request_id": request.request_key,
            "user_id": request.requester_id.id,
            "influencer_profile_id": profile,
            **_parameters(request),
            "model_id": request.model_name,
            "campaign_id": int(campaign) if campaign.isascii() and campaign.isdigit() and len(campaign) < 19 else None,
            "custom_params": custom,
        }
    )


def _endpoint(request, defaults):
    named = _without_blanks({**_parameters(request), "model_id": request.model_name})
    return {
        "ai_generation_request_id": request.request_key,
        "params": {**_custom(request), **named},
        "odoo_callback_url": defaults["callback_base_url"].rstrip("/") + CALLBACK_PATHS["endpoint"],
    }


_BODIES = {
    "event": _event,
    "correlation": _correlation,
    "request": _request,
    "adapter": _adapter,
    "endpoint": _endpoint,
}


def _parameters(request):
    return {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "resolution": request.resolution,
        "aspect_ratio": request.aspect_ratio,
        "seed": _seed(request),
        "inference_steps": request.inference_steps,
        "cfg_scale": request.cfg_scale,
    }


def _seed(request):
    return int(request.seed) if request.seed else None


def _custom(request):
    return json.loads(request.custom_params) if request.custom_params else {}


def _ratio(resolution):
    width, height = (int(side) for side in (resolution or DEFAULT_RESOLUTION).split("x"))
    divisor = math.gcd(width, height)
    return f"{width // divisor}:{height // divisor}"


def _without_blanks(named):
    # Odoo's blanks are False, 0 and ""; a seed of 0 is one that was asked for.
    return {name: value for name, value in named.items() if value or (name == "seed" and value is not None)}
