"""What must agree inside the settings of one image service. One line per problem: where, what, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from contracts.capabilities import CAPABILITIES, Kind
from contracts.sizing import nearest_size
from runtime.service_settings import ServiceSettings
from runtime.service_traits import service_traits

_ONLY: Mapping[str, tuple[Kind, ...]] = MappingProxyType(
    {
        "fields": ("flux_lora", "fal", "replicate", "bfl"),
        "lora_form": ("a1111",),
        "patches": ("comfyui",),
        "webhook": ("fal", "replicate", "bfl"),
        "webhook_secret": ("replicate", "bfl"),
        "workflow_file": ("comfyui",),
    }
)
"""The settings that only some kinds have."""


def service_disagreements(name: str, service: ServiceSettings) -> list[str]:
    """Every contradiction."""
    where = f"services.{name}"
    rules = (_other_kinds, _workflow, _loras, _webhook, _sizes)
    return [f"{where}.{line}" for rule in rules for line in rule(service)]


def _other_kinds(service: ServiceSettings) -> Iterator[str]:
    for key, kinds in _ONLY.items():
        if getattr(service, key) != ServiceSettings.model_fields[key].default and service.kind not in kinds:
            owners = f"kind {kinds[0]} has" if len(kinds) == 1 else f"kinds {', '.join(kinds)} have"
            yield f"{key}: only {owners} it; remove it"


def _workflow(service: ServiceSettings) -> Iterator[str]:
    if service.kind != "comfyui":
        return
    if service.workflow_file is None:
        yield "workflow_file: is required for kind comfyui: name the workflow that was exported in API format"
    if "prompt" not in service.patches:
        yield 'patches: must say where the prompt stands in the workflow, as prompt = "6.inputs.text"'


def _loras(service: ServiceSettings) -> Iterator[str]:
    if not (service.loras or service.any_lora):
        return
    if "lora" not in CAPABILITIES[service.kind].honours:
        yield f"{'loras' if service.loras else 'any_lora'}: kind {service.kind} has no LoRAs; remove it"
    elif service.kind == "comfyui" and "lora" not in service.patches:
        yield 'loras: patches must say where the LoRA stands in the workflow, as lora = "10.inputs.lora_name"'


def _webhook(service: ServiceSettings) -> Iterator[str]:
    signs = service.kind in _ONLY["webhook_secret"]
    if service.webhook and signs and service.webhook_secret is None:
        yield f"webhook_secret: is required for webhooks of kind {service.kind}, which are signed with it"


def _sizes(service: ServiceSettings) -> Iterator[str]:
    rule = service_traits("", service).sizes
    if service.sizes.allowed and service.sizes.model_dump(exclude={"allowed"}, exclude_none=True):
        yield "sizes.allowed: holds alone; remove the other rules"
        return
    try:
        nearest_size((service.default_width, service.default_height), rule)
    except ValueError:
        yield "sizes: the rules leave no size near default_width and default_height; correct them"
