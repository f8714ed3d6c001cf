"""Which LoRAs a request asks for: by its custom fields `lora` and `loras`, or by a model name that is one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from pydantic import JsonValue

from contracts.requests import ImageRequest

FIELDS = ("lora", "loras")
"""The custom fields that name LoRAs."""
SCALE_LIMIT = 4.0
"""The strongest scale, in both directions; a larger number behind a colon is no scale."""
_FORMS = '"name", "name:0.8", {"name": ..., "scale": ...} or {"path": ..., "scale": ...}'


@dataclass(frozen=True, slots=True)
class Lora:
    """A LoRA as a service is asked for it."""

    path: str
    """Where the service finds the weights, as it documents."""
    scale: float = 1.0


def names_lora(request: ImageRequest, known: Mapping[str, Lora]) -> bool:
    """Whether a request asks for any LoRA, of a service that has these by name."""
    return bool(_entries(request)) or request.model in known


def base_model(request: ImageRequest, known: Mapping[str, Lora]) -> str | None:
    """The model a request names, None where that is a LoRA and so none."""
    return None if request.model in known else request.model


def requested_loras(request: ImageRequest, known: Mapping[str, Lora], *, any_path: bool) -> tuple[Lora, ...]:
    """The LoRAs a request asks for, each once, in its order; `any_path` = also such that no setting names.

    Raises `ValueError` for a form that is none, or for a name that is not known.
    """
    by_model = known.get(request.model or "")
    found = [
        *([by_model] if by_model else []),
        *(_lora(entry, known, any_path=any_path) for entry in _entries(request)),
    ]
    return tuple({lora.path: lora for lora in found}.values())


def _entries(request: ImageRequest) -> list[JsonValue]:
    custom = request.custom or {}
    values = [custom[field] for field in FIELDS if custom.get(field)]
    return [entry for value in values for entry in (value if isinstance(value, list) else [value])]


def _lora(entry: JsonValue, known: Mapping[str, Lora], *, any_path: bool) -> Lora:
    if isinstance(entry, str) and entry.strip():
        return _named(entry.strip(), known, any_path=any_path)
    if isinstance(entry, dict):
        name = entry.get("name") or entry.get("path")
        scale = entry.get("scale")
        if isinstance(name, str) and name.strip() and (scale is None or _is_scale(scale)):
            found = _known(name.strip(), known, any_path=any_path)
            return found if scale is None else Lora(found.path, float(str(scale)))
    raise ValueError(f"lora must be {_FORMS} with a scale from -{SCALE_LIMIT:g} to {SCALE_LIMIT:g}")


def _named(text: str, known: Mapping[str, Lora], *, any_path: bool) -> Lora:
    name, _, suffix = text.rpartition(":")
    if text in known or not (name and _is_scale(suffix)):
        return _known(text, known, any_path=any_path)
    return Lora(_known(name, known, any_path=any_path).path, float(suffix))


def _known(name: str, known: Mapping[str, Lora], *, any_path: bool) -> Lora:
    by_path = {lora.path: lora for lora in known.values()}
    found = known.get(name) or by_path.get(name) or (Lora(name) if any_path else None)
    if found is None:
        choice = ", ".join(sorted(known)) or "none is configured"
        raise ValueError(f"lora {name[:80]!r} is not known to the service; known: {choice}")
    return found


def _is_scale(value: JsonValue) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        scale = float(value)
    except (ValueError, OverflowError):
        return False
    return isfinite(scale) and abs(scale) <= SCALE_LIMIT
