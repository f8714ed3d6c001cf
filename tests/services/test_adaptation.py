"""What is asked of a service in place of what it cannot honour, and what is said about that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.services.fitting import fitted
from contracts.adaptation import UnsupportedError, adapted, can_honour
from contracts.capabilities import CAPABILITIES, KINDS, Kind, OnUnsupported
from contracts.errors import FailureClass
from contracts.requests import ImageRequest
from contracts.sizing import fits
from runtime.service_settings import ServiceSettings
from runtime.service_traits import service_traits
from tests.services.calls import call, failing, settings

EVERYTHING = {
    "negative_prompt": "people, cars",
    "seed": 7,
    "steps": 20,
    "cfg_scale": 7.5,
    "width": 1024,
    "height": 1024,
    "custom": {"lora": "brand", "quality": "high"},
}
LORAS = {"brand": {"path": "b.safetensors", "scale": 0.8}}
PLACES = {
    "prompt": "6.inputs.text",
    "negative_prompt": "7.inputs.text",
    "seed": "3.inputs.seed",
    "steps": "3.inputs.steps",
    "cfg_scale": "3.inputs.cfg",
    "width": "5.inputs.width",
    "height": "5.inputs.height",
    "lora": "10.inputs.lora_name",
}


def request(**fields: Any) -> ImageRequest:
    return ImageRequest.model_validate({"prompt": "a harbour", **fields})


def fit(kind: Kind, asked: ImageRequest, **fields: Any) -> tuple[ImageRequest, tuple[str, ...]]:
    done = adapted(asked, service_traits("svc", settings(kind=kind, **fields)))
    return done.request, done.warnings


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("flux_lora", {}),
        ("a1111", {"loras": LORAS}),
        ("together", {"loras": LORAS}),
        ("comfyui", {"loras": LORAS, "patches": PLACES}),
    ],
)
@pytest.mark.parametrize("mode", ["error", "drop", "emulate"])
def test_what_a_service_honours_reaches_it_untouched(kind: Kind, fields: dict[str, Any], mode: OnUnsupported) -> None:
    asked = request(**EVERYTHING)
    assert fit(kind, asked, on_unsupported=mode, **fields) == (asked, ())


def test_what_a_service_has_not_is_left_out_and_reported() -> None:
    got, warnings = fit("openai", request(**EVERYTHING))
    assert got == request(width=1024, height=1024, custom={"quality": "high"})
    assert warnings == (
        "negative_prompt: service svc has none, it was left out",
        "seed: service svc has none, it was left out",
        "steps: service svc has none, it was left out",
        "cfg_scale: service svc has none, it was left out",
        "lora: service svc has none, it was left out",
    )


def test_a_negative_prompt_can_become_words_of_the_prompt() -> None:
    got, warnings = fit("openai", request(negative_prompt=" people, cars ", steps=20), on_unsupported="emulate")
    assert got == request(prompt="a harbour\nAvoid: people, cars")
    assert warnings == (
        "negative_prompt: service svc has none, its words went into the prompt as things to avoid",
        "steps: service svc has none, it was left out",
    )


def test_a_blank_negative_prompt_is_none() -> None:
    assert fit("openai", request(negative_prompt="  "), on_unsupported="error")[1] == ()


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"negative_prompt": "x"}, "negative_prompt"),
        ({"seed": 0}, "seed"),
        ({"steps": 1}, "steps"),
        ({"cfg_scale": 0.0}, "cfg_scale"),
        ({"custom": {"loras": ["brand"]}}, "lora"),
    ],
)
async def test_error_refuses_by_parameter_and_service(fields: dict[str, Any], parameter: str) -> None:
    async def work() -> None:
        fitted(call(5, **fields), "svc", settings(on_unsupported="error"))

    failure = (await failing(work(), FailureClass.INVALID_REQUEST)).failure
    assert failure.message.startswith(f"{parameter}: service svc has none")
    assert "services.svc.on_unsupported" in failure.message
    assert failure.service == "svc"


def test_error_names_everything_at_once() -> None:
    with pytest.raises(UnsupportedError, match=r"seed: .*; steps: .*; cfg_scale: "):
        fit("gemini", request(seed=1, steps=2, cfg_scale=3.0), on_unsupported="error")


def test_a_fitted_call_keeps_everything_else() -> None:
    asked = call(5, seed=7, user_id="u")
    got, warnings = fitted(asked, "svc", settings())
    assert (got.request, got.correlation_id) == (asked.request.model_copy(update={"seed": None}), "request-7")
    assert len(warnings) == 1


# --- seeds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "seed", "kept"),
    [
        ("stability", 0, True),
        ("stability", 4_294_967_294, True),
        ("stability", 4_294_967_295, False),
        ("stability", -1, False),
        ("comfyui", 2**63 - 1, True),
        ("comfyui", -1, False),
        ("a1111", -1, True),
    ],
)
def test_seeds_at_the_borders(kind: Kind, seed: int, kept: bool) -> None:
    more = {"patches": PLACES} if kind == "comfyui" else {}
    got, warnings = fit(kind, request(seed=seed), **more)
    assert (got.seed == seed, not warnings) == (kept, kept)
    if not kept:
        with pytest.raises(UnsupportedError, match="seed: service svc takes 0 to"):
            fit(kind, request(seed=seed), on_unsupported="error", **more)


# --- sizes and ratios ------------------------------------------------------------------------------------------------

FIXED = {"allowed": ["1024x1024", "1536x1024", "1024x1536"]}
FREE = {"step": 16, "longest": 3840, "most_pixels": 3840 * 2160, "widest": 3.0}


@pytest.mark.parametrize(
    ("sizes", "asked", "made"),
    [
        (FIXED, (1024, 1024), None),
        (FIXED, (1536, 1024), None),
        (FIXED, (512, 512), (1024, 1024)),
        (FIXED, (1920, 1080), (1536, 1024)),
        (FIXED, (1080, 1920), (1024, 1536)),
        (FIXED, (1200, 1000), (1024, 1024)),
        (FIXED, (1300, 1000), (1536, 1024)),
        (FREE, (3840, 2160), None),
        (FREE, (3840, 1280), None),
        (FREE, (1008, 1008), None),
        (FREE, (1000, 1000), (1008, 1008)),
        (FREE, (3856, 1280), (3840, 1280)),
        (FREE, (3840, 2176), (3824, 2160)),
        (FREE, (4096, 512), (2496, 832)),
        (FREE, (1, 1), (16, 16)),
    ],
)
def test_sizes_at_the_borders(sizes: dict[str, Any], asked: tuple[int, int], made: tuple[int, int] | None) -> None:
    wanted = request(width=asked[0], height=asked[1])
    got, warnings = fit("openai", wanted, sizes=sizes)
    assert (got.width, got.height) == (made or asked)
    if made is None:
        assert warnings == ()
        return
    (sentence,) = warnings
    assert sentence == (f"size: service svc cannot make {asked[0]}x{asked[1]}, asked for {made[0]}x{made[1]}")
    with pytest.raises(UnsupportedError, match="size: service svc cannot make"):
        fit("openai", wanted, sizes=sizes, on_unsupported="error")


@pytest.mark.parametrize(
    ("kind", "asked", "made"),
    [
        ("a1111", (1024, 768), (1024, 768)),
        ("a1111", (1023, 769), (1024, 768)),
        ("a1111", (60, 60), (64, 64)),
        ("together", (1000, 1000), (1008, 1008)),
        ("together", (1024, 1792), (1024, 1792)),
        ("flux_lora", (1023, 769), (1023, 769)),
        ("openai", (1023, 769), (1023, 769)),
    ],
)
def test_the_grid_of_each_kind(kind: Kind, asked: tuple[int, int], made: tuple[int, int]) -> None:
    got, warnings = fit(kind, request(width=asked[0], height=asked[1]))
    assert ((got.width, got.height), bool(warnings)) == (made, made != asked)


@pytest.mark.parametrize(
    ("ratio", "size"), [("1:1", (1024, 1024)), ("16:9", (1360, 768)), ("9:16", (768, 1360)), ("3:2", (1248, 832))]
)
def test_a_ratio_becomes_a_size_without_a_loss(ratio: str, size: tuple[int, int]) -> None:
    got, warnings = fit("a1111", request(aspect_ratio=ratio), on_unsupported="error")
    assert ((got.width, got.height), warnings) == (size, ())


def test_a_ratio_that_no_fixed_size_has() -> None:
    got, warnings = fit("openai", request(aspect_ratio="16:9"), sizes=FIXED)
    assert (got.width, got.height) == (1536, 1024)
    assert warnings == ("aspect_ratio: service svc cannot make 16:9, asked for 1536x1024",)
    with pytest.raises(UnsupportedError, match="cannot make 16:9"):
        fit("openai", request(aspect_ratio="16:9"), sizes=FIXED, on_unsupported="error")


@pytest.mark.parametrize(("asked", "made"), [("3:2", (1536, 1024)), ("1:1", (1024, 1024)), ("2:3", (1024, 1536))])
def test_a_ratio_that_a_fixed_size_has(asked: str, made: tuple[int, int]) -> None:
    got, warnings = fit("openai", request(aspect_ratio=asked), sizes=FIXED, on_unsupported="error")
    assert ((got.width, got.height), warnings) == (made, ())


def test_a_default_size_that_the_service_cannot_make_is_no_loss() -> None:
    got, warnings = fit("openai", request(), sizes={"allowed": ["512x512"]}, on_unsupported="error")
    assert ((got.width, got.height), warnings) == ((512, 512), ())


@pytest.mark.parametrize(
    ("kind", "asked", "made"),
    [
        ("stability", "16:9", "16:9"),
        ("stability", "9:21", "9:21"),
        ("stability", "4:3", "5:4"),
        ("stability", "100:1", "21:9"),
        ("gemini", "4:3", "4:3"),
        ("gemini", "9:21", "9:16"),
        ("gemini", "2.39:1", "21:9"),
        ("gemini", "7:4", "16:9"),
    ],
)
def test_ratios_at_the_borders(kind: Kind, asked: str, made: str) -> None:
    got, warnings = fit(kind, request(aspect_ratio=asked))
    assert got.aspect_ratio == made
    same = asked in {made, "7:4"}
    assert bool(warnings) is not same
    if not same:
        with pytest.raises(UnsupportedError, match=f"cannot make {asked}"):
            fit(kind, request(aspect_ratio=asked), on_unsupported="error")


@pytest.mark.parametrize(
    ("asked", "ratio"),
    [((1024, 1024), "1:1"), ((1344, 768), "16:9"), ((768, 1344), "9:16"), ((1024, 768), "5:4"), ((640, 1536), "9:21")],
)
def test_a_size_becomes_the_nearest_ratio(asked: tuple[int, int], ratio: str) -> None:
    got, warnings = fit("stability", request(width=asked[0], height=asked[1]))
    assert got.aspect_ratio == ratio
    text = f"{asked[0]}x{asked[1]}"
    assert warnings == (f"size: service svc takes only aspect ratios, {ratio} was asked for in place of {text}",)
    with pytest.raises(UnsupportedError, match="size: service svc takes only aspect ratios"):
        fit("stability", request(width=asked[0], height=asked[1]), on_unsupported="error")


def test_the_size_goes_before_a_ratio_that_contradicts_it() -> None:
    got, warnings = fit("flux_lora", request(width=1024, height=1024, aspect_ratio="16:9"), on_unsupported="error")
    assert (got.width, got.height) == (1024, 1024)
    assert warnings == ("aspect_ratio: 16:9 was not used, the request names the size 1024x1024 too",)
    assert fit("flux_lora", request(width=1344, height=768, aspect_ratio="16:9"))[1] == ()
    assert fit("stability", request(width=1024, height=1024, aspect_ratio="16:9"))[0].aspect_ratio == "1:1"


def test_a_workflow_without_places_for_the_shape() -> None:
    got, warnings = fit(
        "comfyui", request(width=512, height=512, aspect_ratio="1:1"), patches={"prompt": "6.inputs.text"}
    )
    assert got == request()
    assert [sentence.partition(":")[0] for sentence in warnings] == ["size", "aspect_ratio"]


def test_one_side_alone() -> None:
    assert fit("a1111", request(width=1000)) == (request(width=1000), ())
    got, warnings = fit("a1111", request(height=1001, aspect_ratio="1:1"))
    assert (got.width, got.height) == (1008, 1000)
    assert warnings == ("size: service svc cannot make 1008x1001, asked for 1008x1000",)


def test_a_field_without_a_name_is_not_honoured() -> None:
    got, warnings = fit("flux_lora", request(negative_prompt="x", steps=4), fields={"neg_prompt": "", "steps": ""})
    assert got == request()
    assert len(warnings) == 2


def test_a_field_that_not_every_model_has_is_honoured_once_it_has_a_name() -> None:
    asked = request(negative_prompt="x", aspect_ratio="16:9")
    assert fit("fal", asked)[0] == request(aspect_ratio="16:9", width=1360, height=768)
    names = {"negative_prompt": "negative_prompt", "aspect_ratio": "aspect_ratio"}
    assert fit("fal", asked, fields=names, on_unsupported="error") == (asked, ())


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_ratio_is_the_senders_fault(kind: Kind) -> None:
    more = {"patches": PLACES} if kind == "comfyui" else {}
    with pytest.raises(UnsupportedError, match="aspect_ratio must be a ratio"):
        fit(kind, request(aspect_ratio="wide"), **more)


@given(
    kind=st.sampled_from(["openai", "a1111", "together"]),
    width=st.integers(1, 99_999),
    height=st.integers(1, 99_999),
    sizes=st.sampled_from([{}, FIXED, FREE]),
)
def test_what_is_asked_for_can_always_be_made(kind: Kind, width: int, height: int, sizes: dict[str, Any]) -> None:
    traits = service_traits("svc", settings(kind=kind, sizes=sizes))
    done = adapted(request(width=width, height=height), traits)
    assert fits((done.request.width or 0, done.request.height or 0), traits.sizes)
    assert adapted(done.request, traits).warnings == ()


# --- LoRAs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["a1111", "together"])
def test_an_unknown_lora_is_refused_in_every_mode(kind: Kind) -> None:
    for mode in ("error", "drop", "emulate"):
        with pytest.raises(UnsupportedError, match=r"lora 'other' is not known to the service; known: brand"):
            fit(kind, request(custom={"lora": "other:0.5"}), loras=LORAS, on_unsupported=mode)


def test_a_flux_service_without_a_list_gets_what_the_request_says() -> None:
    asked = request(custom={"loras": [{"path": "any", "scale": 9}]})
    assert fit("flux_lora", asked, on_unsupported="error") == (asked, ())


# --- failover --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "kind", "mode", "can"),
    [
        ({}, "openai", "error", True),
        ({"seed": 7}, "openai", "error", False),
        ({"seed": 7}, "openai", "drop", True),
        ({"negative_prompt": "x"}, "openai", "emulate", True),
        ({"custom": {"lora": "brand"}}, "openai", "drop", False),
        ({"custom": {"lora": "brand"}}, "a1111", "drop", True),
        ({"custom": {"lora": "other"}}, "a1111", "drop", False),
        ({"model": "brand"}, "a1111", "error", True),
        ({"aspect_ratio": "wide"}, "openai", "drop", False),
        ({"aspect_ratio": "4:3"}, "stability", "error", False),
        ({"aspect_ratio": "3:2"}, "stability", "error", True),
    ],
)
def test_which_service_may_stand_in(fields: dict[str, Any], kind: Kind, mode: OnUnsupported, can: bool) -> None:
    loras = {"loras": LORAS} if "lora" in CAPABILITIES[kind].honours else {}
    configured = ServiceSettings.model_validate(
        {"kind": kind, "base_url": "http://127.0.0.1:9", "on_unsupported": mode, **loras}
    )
    assert can_honour(request(**fields), service_traits("svc", configured)) is can
