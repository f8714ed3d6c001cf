"""The image-service accounts: protocol, credentials, limits, prices."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from contracts.capabilities import Kind, OnUnsupported
from contracts.sizing import parse_size
from runtime.auth_settings import Auth, NoAuth
from runtime.retry_settings import RetrySettings
from runtime.secrets import SecretRef
from runtime.settings_values import HttpUrl, Section


def _size(value: str) -> str:
    parse_size(value)
    return value


ImageSize = Annotated[str, AfterValidator(_size), Field(json_schema_extra={"format": "size"})]
"""A size in pixels as 1024x1024."""


class SizeSettings(Section):
    """Which sizes the model makes, where that is not what its kind makes. Others become the nearest."""

    allowed: tuple[ImageSize, ...] = ()
    """The only sizes, as 1024x1024. None = any that keeps the other rules."""
    step: int | None = Field(default=None, ge=1, le=256)
    """Pixels: both sides are multiples of it."""
    shortest: int | None = Field(default=None, ge=1, le=65_535)
    """Pixels that a side has at least."""
    longest: int | None = Field(default=None, ge=1, le=65_535)
    """Pixels that a side has at most."""
    most_pixels: int | None = Field(default=None, ge=256, le=2**32)
    """Width times height at most."""
    widest: float | None = Field(default=None, ge=1, le=1000)
    """The longer side divided by the shorter one at most, as 3.0."""


class LoraSettings(Section):
    """A LoRA that requests may name (`custom` field `lora` or `loras`, or as the model)."""

    path: str = Field(min_length=1)
    """Where the service finds the weights: a URL, a repository or a file name, as the service documents."""
    scale: float = Field(default=1.0, ge=-4, le=4)
    """Its strength where the request names none."""


class CircuitSettings(Section):
    """When an account counts as down, for all workers together."""

    failures: int = Field(default=5, ge=0, le=1000)
    """Calls in a row that were not served (unreachable, overloaded, internal error) until it opens; 0 = never."""
    open_s: float = Field(default=30.0, gt=0, le=3600)
    """Seconds until one call may try again."""


class ServiceSettings(Section):
    """One image-service account."""

    kind: Kind
    """The protocol."""
    base_url: HttpUrl
    """Where the service is."""
    auth: Auth = NoAuth()
    """How we authenticate."""
    model: str | None = None
    """Model to ask for where the request names none (openai: always needed by most services)."""
    models: dict[str, str] = Field(default={})
    """What requests call the service's models, as sdxl = "core"; "*" stands for every name that is not listed. Without
    it such names go on as they are."""
    paid: bool = True
    """Whether a call costs money: decides what happens when its outcome is unknown."""
    on_outcome_unknown: Literal["fail", "retry_once", "always"] | None = None
    """When a call's outcome is unknown or its job is lost: fail (dead letter), retry_once, always. Not set: fail if
    paid, else always."""
    on_unsupported: OnUnsupported = "drop"
    """What to do with a parameter that the service cannot honour: error (reject the request), drop (leave it out), or
    emulate where that is possible (a negative prompt as words of the prompt), else drop. A size that the service cannot
    make becomes the nearest under drop too. What was changed is reported in the result. Not error by default: dialect
    adapter sends steps and cfg_scale with every request."""
    price: Decimal | None = Field(default=None, ge=0)
    """What one image costs, for the spend ledger, where the service does not report it."""
    currency: str = Field(default="USD", min_length=1, max_length=16)
    """The currency (or unit) of `price`."""
    fields: dict[str, str] = Field(default={})
    """flux_lora, fal, replicate, bfl: what the service or model calls the request's fields, as text_prompt = "prompt";
    an empty name leaves the field out, and a name for one that not every model has puts it in."""
    loras: dict[str, LoraSettings] = Field(default={})
    """The LoRAs that requests may name."""
    any_lora: bool = False
    """Whether requests may also name LoRAs that are not listed, by the path or URL that the service documents."""
    lora_form: Literal["prompt", "structured"] = "prompt"
    """a1111: how a LoRA is asked for: prompt = <lora:name:0.8> in the prompt (A1111, Forge), structured = the field
    lora (stable-diffusion.cpp's sd-server)."""
    workflow_file: Path | None = None
    """comfyui: the workflow in API format (JSON) that is patched and posted."""
    patches: dict[str, str] = Field(default={})
    """comfyui: where a parameter stands in the workflow, as prompt = "6.inputs.text"."""
    default_width: int = Field(default=1024, ge=16, le=8192)
    """Pixels, where the request names no size."""
    default_height: int = Field(default=1024, ge=16, le=8192)
    """Pixels, where the request names no size."""
    sizes: SizeSettings = SizeSettings()
    """Which sizes the model makes."""
    artifact_hosts: tuple[str, ...] = ()
    """Hosts images may be downloaded from beside the service's own, as cdn.example or *.cdn.example."""
    allow_private_hosts: bool = False
    """Whether downloads may go to private or loopback addresses (services on the own network)."""
    reseeds: int = Field(default=0, ge=0, le=5)
    """How often an image that the service made and then refused to hand out is made again with another seed. Each is
    paid for anew."""
    image_limit: int = Field(default=32 * 2**20, ge=1024, le=256 * 2**20)
    """Largest image in bytes."""
    rate_per_second: float | None = Field(default=None, gt=0, le=10_000)
    """Most calls a second over all workers, enforced by the Temporal server. Not set = unlimited."""
    strict_rate: bool = False
    """Whether rate_per_second holds for every single second, bursts included: each call reserves its moment."""
    concurrency: int | None = Field(default=None, ge=1, le=10_000)
    """Most calls and unfinished jobs at once over all workers. Not set = unlimited."""
    circuit: CircuitSettings = CircuitSettings()
    """When the account counts as down."""
    webhook: bool = False
    """fal, replicate, bfl: whether the service is asked to ring when a job is finished (needs store.signing_key and a
    starter.public_base_url that it reaches). Polling goes on beside it."""
    webhook_secret: SecretRef | None = None
    """Reference to the secret by which the service signs its webhooks (replicate, bfl)."""
    retry: RetrySettings = RetrySettings()
    """Retries of the image call."""

    @property
    def unknown_policy(self) -> Literal["fail", "retry_once", "always"]:
        """What to do after a call whose outcome is unknown."""
        return self.on_outcome_unknown or ("fail" if self.paid else "always")
