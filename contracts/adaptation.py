"""What is asked of a service in place of what it cannot honour, and what is said about that. Pure.

`on_unsupported` decides: `error` refuses the request; `drop` leaves a parameter out; `emulate` leaves it out too, but
reaches the same by other means where there are any (a negative prompt becomes words of the prompt). An image always
has a size: one that a service cannot make becomes the nearest that it can, under `drop` as under `emulate`. The
default is `drop`: dialect `adapter` sends steps and cfg_scale with every request, so `error` would refuse all of its
requests at the services that have neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import gcd
from typing import Any

from contracts.capabilities import Kind, OnUnsupported, Parameter
from contracts.loras import FIELDS, Lora, names_lora, requested_loras
from contracts.requests import ImageRequest
from contracts.sizing import ANY_SIZE, Size, SizeRule, nearest_ratio, nearest_size, ratio_of, same_shape, size_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTraits:
    """What one configured service does with a request."""

    name: str
    kind: Kind
    honours: frozenset[Parameter]
    on_unsupported: OnUnsupported = "drop"
    default_width: int = 1024
    default_height: int = 1024
    sizes: SizeRule = ANY_SIZE
    ratios: tuple[str, ...] = ()
    """The only aspect ratios it takes; () = any."""
    seeds: tuple[int, int] | None = None
    loras: Mapping[str, Lora] | None = field(default_factory=dict)
    """The LoRAs it has by name; None = what a request says is passed on unchecked."""
    any_lora: bool = False


@dataclass(frozen=True, slots=True)
class Adapted:
    """A request that a service can honour in full, and one sentence for each thing that is not as it was asked for."""

    request: ImageRequest
    warnings: tuple[str, ...] = ()


class UnsupportedError(ValueError):
    """A request that a service must not be asked for; the message names the parameter and the service."""


@dataclass(frozen=True, slots=True)
class _Change:
    """What one parameter makes of the request. `lost` says what `error` refuses, `noted` what it does not."""

    update: Mapping[str, Any] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()


def adapted(request: ImageRequest, service: ServiceTraits) -> Adapted:
    """The request as `service` can honour it; raises `UnsupportedError`."""
    changes = [rule(request, service) for rule in _RULES]
    lost = [sentence for change in changes for sentence in change.lost]
    if lost and service.on_unsupported == "error":
        remedy = f"leave it out, or set services.{service.name}.on_unsupported to drop or emulate"
        raise UnsupportedError(f"{'; '.join(lost)} ({remedy})")
    update = {name: value for change in changes for name, value in change.update.items()}
    noted = [sentence for change in changes for sentence in change.noted]
    return Adapted(request.model_copy(update=update), (*lost, *noted))


def can_honour(request: ImageRequest, service: ServiceTraits) -> bool:
    """Whether a service may stand in for another one.

    What its `on_unsupported` lets it drop or emulate does not speak against it, but a LoRA does: without it the image
    shows something else.
    """
    if "lora" not in service.honours and names_lora(request, service.loras or {}):
        return False
    try:
        adapted(request, service)
    except UnsupportedError:
        return False
    return True


# --- parameters that are there or not --------------------------------------------------------------------------------


def _negative_prompt(request: ImageRequest, service: ServiceTraits) -> _Change:
    words = (request.negative_prompt or "").strip()
    if not words or "negative_prompt" in service.honours:
        return _Change()
    if service.on_unsupported == "emulate":
        prompt = f"{request.prompt}\nAvoid: {words}"
        lost = f"negative_prompt: service {service.name} has none, its words went into the prompt as things to avoid"
        return _Change({"negative_prompt": None, "prompt": prompt}, (lost,))
    return _Change({"negative_prompt": None}, (_has_none("negative_prompt", service),))


def _seed(request: ImageRequest, service: ServiceTraits) -> _Change:
    if request.seed is None or "seed" not in service.honours:
        return _left_out("seed", request.seed, service)
    least, greatest = service.seeds or (request.seed, request.seed)
    if least <= request.seed <= greatest:
        return _Change()
    lost = f"seed: service {service.name} takes {least} to {greatest}, {request.seed} was left out"
    return _Change({"seed": None}, (lost,))


def _steps(request: ImageRequest, service: ServiceTraits) -> _Change:
    return _left_out("steps", request.steps, service)


def _cfg_scale(request: ImageRequest, service: ServiceTraits) -> _Change:
    return _left_out("cfg_scale", request.cfg_scale, service)


def _left_out(name: Parameter, value: float | None, service: ServiceTraits) -> _Change:
    if value is None or name in service.honours:
        return _Change()
    return _Change({name: None}, (_has_none(name, service),))


def _has_none(name: Parameter, service: ServiceTraits) -> str:
    return f"{name}: service {service.name} has none, it was left out"


def _loras(request: ImageRequest, service: ServiceTraits) -> _Change:
    known = service.loras or {}
    if not names_lora(request, known) or (service.loras is None and "lora" in service.honours):
        return _Change()
    if "lora" not in service.honours:
        custom = {name: value for name, value in (request.custom or {}).items() if name not in FIELDS}
        return _Change({"custom": custom or None}, (_has_none("lora", service),))
    try:
        requested_loras(request, known, any_path=service.any_lora)
    except ValueError as error:
        raise UnsupportedError(f"{error} (service {service.name})") from None
    return _Change()


# --- the shape --------------------------------------------------------------------------------------------------------


def _shape(request: ImageRequest, service: ServiceTraits) -> _Change:
    try:
        if "size" in service.honours:
            return _sized(request, service)
        if "aspect_ratio" in service.honours:
            return _shaped(request, service)
    except ValueError as error:
        raise UnsupportedError(f"{error} (service {service.name})") from None
    asked: tuple[tuple[Parameter, object], ...] = (
        ("size", request.width or request.height),
        ("aspect_ratio", request.aspect_ratio),
    )
    update = {"width": None, "height": None, "aspect_ratio": None}
    return _Change(update, tuple(_has_none(name, service) for name, value in asked if value))


def _sized(request: ImageRequest, service: ServiceTraits) -> _Change:
    """For a service that is told a size in pixels."""
    if _names_only_ratio(request) and _takes_ratio(request, service):
        return _Change()
    asked = size_of(request, service.default_width, service.default_height)
    made = nearest_size(asked, service.sizes)
    noted = _contradiction(request, asked) if request.width and request.height else ()
    if made == asked and not _names_only_ratio(request):
        return _Change(noted=noted)
    return _Change({"width": made[0], "height": made[1]}, tuple(_lost_shape(request, service, asked, made)), noted)


def _lost_shape(request: ImageRequest, service: ServiceTraits, asked: Size, made: Size) -> Iterator[str]:
    named = zip((request.width, request.height), made, strict=True)
    if any(side and side != other for side, other in named):
        yield f"size: service {service.name} cannot make {_text(asked)}, asked for {_text(made)}"
    elif _names_only_ratio(request) and not same_shape(made[0] / made[1], ratio_of(request.aspect_ratio or "")):
        yield f"aspect_ratio: service {service.name} cannot make {request.aspect_ratio}, asked for {_text(made)}"


def _shaped(request: ImageRequest, service: ServiceTraits) -> _Change:
    """For a service that is told an aspect ratio; the size stays for what else it may say of the resolution."""
    named = bool(request.width or request.height)
    if not (named or request.aspect_ratio):
        return _Change()
    asked = size_of(request, service.default_width, service.default_height)
    if _names_only_ratio(request):
        wanted, text = ratio_of(request.aspect_ratio or ""), request.aspect_ratio
    else:
        wanted, text = asked[0] / asked[1], _text(asked)
    made = nearest_ratio(wanted, service.ratios) if service.ratios else _reduced(request, asked)
    lost = []
    if named:
        lost.append(f"size: service {service.name} takes only aspect ratios, {made} was asked for in place of {text}")
    elif not same_shape(ratio_of(made), wanted):
        lost.append(f"aspect_ratio: service {service.name} cannot make {text}, asked for {made}")
    return _Change({"aspect_ratio": made}, tuple(lost), _contradiction(request, asked) if named else ())


def _contradiction(request: ImageRequest, asked: Size) -> tuple[str, ...]:
    if not request.aspect_ratio or same_shape(asked[0] / asked[1], ratio_of(request.aspect_ratio)):
        return ()
    return (f"aspect_ratio: {request.aspect_ratio} was not used, the request names the size {_text(asked)} too",)


def _names_only_ratio(request: ImageRequest) -> bool:
    return bool(request.aspect_ratio) and not (request.width or request.height)


def _takes_ratio(request: ImageRequest, service: ServiceTraits) -> bool:
    """Whether a service takes both sizes and ratios, and this ratio as it is."""
    if "aspect_ratio" not in service.honours:
        return False
    ratio_of(request.aspect_ratio or "")
    return not service.ratios or request.aspect_ratio in service.ratios


def _reduced(request: ImageRequest, size: Size) -> str:
    if _names_only_ratio(request):
        return request.aspect_ratio or ""
    divisor = gcd(*size)
    return f"{size[0] // divisor}:{size[1] // divisor}"


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


_RULES: tuple[Callable[[ImageRequest, ServiceTraits], _Change], ...] = (
    _negative_prompt,
    _seed,
    _steps,
    _cfg_scale,
    _shape,
    _loras,
)
