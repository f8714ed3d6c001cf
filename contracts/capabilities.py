"""What each kind of image service can honour. Pure data, and what follows from it for one request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from contracts.sizing import ANY_SIZE, SizeRule

Kind = Literal[
    "openai",
    "flux_lora",
    "fal",
    "replicate",
    "bfl",
    "stability",
    "comfyui",
    "a1111",
    "gemini",
    "together",
]
"""The protocols that image services speak."""
KINDS: tuple[Kind, ...] = get_args(Kind)
"""All of them."""
OnUnsupported = Literal["error", "drop", "emulate"]
"""What to do with a parameter that a service cannot honour: refuse the request, leave the parameter out, or reach the
same by other means where there are any (else leave it out)."""
Parameter = Literal["negative_prompt", "seed", "steps", "cfg_scale", "size", "aspect_ratio", "lora"]
"""The parameters that services differ in; every one of them honours a prompt."""
PARAMETERS: tuple[Parameter, ...] = get_args(Parameter)
"""All of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a kind of service does with a request."""

    honours: frozenset[Parameter]
    """Sent to the service as they are."""
    optional: frozenset[Parameter] = frozenset()
    """Sent where `services.*.fields` says what the model calls them: not every model of the kind has them."""
    emulates: frozenset[Parameter] = frozenset()
    """Not known to the service, but to be had by other means (a negative prompt as words of the prompt)."""
    sizes: SizeRule = ANY_SIZE
    """The sizes that every service of the kind makes, unless its settings say otherwise."""
    ratios: tuple[str, ...] = ()
    """The only aspect ratios there are; () = any."""
    seeds: tuple[int, int] | None = None
    """The least and the greatest seed; None = the service decides."""
    jobs: bool = False
    """Whether a submit returns a job that is polled, and survives us."""
    cancels: bool = False
    """Whether a running job can be cancelled."""
    finds: bool = False
    """Whether an earlier submit can be looked up by our own key."""
    webhooks: bool = False
    """Whether the service can ring when a job is finished."""


_ALL: frozenset[Parameter] = frozenset(PARAMETERS)

CAPABILITIES: Mapping[Kind, Capabilities] = MappingProxyType(
    {
        "openai": Capabilities(honours=frozenset({"size"}), emulates=frozenset({"negative_prompt", "aspect_ratio"})),
        "flux_lora": Capabilities(
            honours=_ALL - {"aspect_ratio"}, emulates=frozenset({"negative_prompt", "aspect_ratio"})
        ),
        "fal": Capabilities(
            honours=frozenset({"seed", "steps", "cfg_scale", "size", "lora"}),
            optional=frozenset({"negative_prompt", "aspect_ratio"}),
            emulates=frozenset({"negative_prompt", "aspect_ratio"}),
            jobs=True,
            cancels=True,
            webhooks=True,
        ),
        "replicate": Capabilities(
            honours=frozenset({"seed", "steps", "cfg_scale", "aspect_ratio", "lora"}),
            optional=frozenset({"negative_prompt", "size"}),
            emulates=frozenset({"negative_prompt", "size"}),
            ratios=("1:1", "16:9", "21:9", "3:2", "2:3", "4:5", "5:4", "3:4", "4:3", "9:16", "9:21"),
            jobs=True,
            cancels=True,
            finds=True,
            webhooks=True,
        ),
        "bfl": Capabilities(
            honours=frozenset({"seed", "size"}),
            optional=frozenset({"steps", "cfg_scale", "aspect_ratio"}),
            emulates=frozenset({"negative_prompt", "aspect_ratio"}),
            sizes=SizeRule(step=16, shortest=64, most_pixels=2048 * 2048),
            jobs=True,
            webhooks=True,
        ),
        "stability": Capabilities(
            honours=frozenset({"negative_prompt", "seed", "aspect_ratio"}),
            emulates=frozenset({"size"}),
            ratios=("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21"),
            seeds=(0, 4_294_967_294),
        ),
        "comfyui": Capabilities(
            honours=_ALL,
            emulates=frozenset({"negative_prompt", "size", "aspect_ratio"}),
            sizes=SizeRule(step=8, shortest=16),
            seeds=(0, 2**64 - 1),
            jobs=True,
            cancels=True,
            finds=True,
        ),
        "a1111": Capabilities(
            honours=_ALL - {"aspect_ratio"},
            emulates=frozenset({"aspect_ratio"}),
            sizes=SizeRule(step=8, shortest=64),
        ),
        "gemini": Capabilities(
            honours=frozenset({"aspect_ratio"}),
            emulates=frozenset({"negative_prompt", "size"}),
            ratios=("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"),
        ),
        "together": Capabilities(
            honours=_ALL - {"aspect_ratio"},
            emulates=frozenset({"aspect_ratio"}),
            sizes=SizeRule(step=16, shortest=64),
        ),
    }
)
"""By `services.*.kind`. comfyui honours what its workflow has a place for."""

_MEANT: Mapping[str, frozenset[Kind]] = MappingProxyType(
    {
        **{kind.replace("_", ""): frozenset({kind}) for kind in KINDS},
        "automatic1111": frozenset({"a1111"}),
        "blackforestlabs": frozenset({"bfl"}),
        "comfy": frozenset({"comfyui"}),
        "falai": frozenset({"fal"}),
        "flux": frozenset({"flux_lora", "fal", "replicate", "bfl", "together"}),
        "forge": frozenset({"a1111"}),
        "google": frozenset({"gemini"}),
        "stabilityai": frozenset({"stability"}),
        "togetherai": frozenset({"together"}),
    }
)


def kinds_meant(hint: str) -> frozenset[Kind]:
    """The kinds that the name of a service in a request stands for, as COMFY_UI, STABILITY_AI or FLUX; often none."""
    return _MEANT.get("".join(character for character in hint.casefold() if character.isalnum()), frozenset())
