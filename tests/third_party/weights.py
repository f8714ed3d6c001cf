"""Random weights in the layout of Stable Diffusion 1 with its tiny UNet: 1 GB that an engine takes for a model."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

Shape = tuple[int, ...]
Tensors = Iterator[tuple[str, Shape]]

_CHANNELS, _TIME, _TEXT, _MULTIPLIERS = 320, 1280, 768, (1, 2, 4)
_LAYERS, _VOCABULARY, _TOKENS = 12, 49408, 77
_ENCODER, _DECODER = 128, 32
"""Channels of the image encoder and decoder; the engine reads the latter's from the file (SD 1 itself has 128)."""
_LEVELS = (1, 2, 4, 4)
_POOL = 65_521
"""Random numbers that are repeated; a prime, so that rows differ."""


def write_weights(path: Path) -> None:
    """Write a safetensors file of half floats."""
    tensors = [
        (name, shape) for part in (_unet(), _text_encoder(), _image_encoder(), _image_decoder()) for name, shape in part
    ]
    header: dict[str, object] = {}
    end = 0
    for name, shape in tensors:
        start, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors:
            file.write(_values(name, shape))


def _values(name: str, shape: Shape) -> bytes:
    size = 2 * math.prod(shape)
    if len(shape) == 1:
        return struct.pack("<e", 0.0 if name.endswith("bias") else 1.0) * shape[0]
    pool = _noise(math.prod(shape[1:]))
    return (pool * (size // len(pool) + 1))[:size]


@cache
def _noise(inputs: int) -> bytes:
    """Half floats whose spread keeps the activations of a layer with that many inputs in bounds."""
    source = random.Random(inputs)
    return struct.pack(f"<{_POOL}e", *(source.gauss(0, inputs**-0.5) for _ in range(_POOL)))


def _layer(name: str, outputs: int, inputs: int | None = None, kernel: int | None = None) -> Tensors:
    """A linear layer, a convolution, or without inputs a norm."""
    inner = () if inputs is None else (inputs,)
    yield f"{name}.weight", (outputs, *inner, *((kernel, kernel) if kernel else ()))
    yield f"{name}.bias", (outputs,)


# --- UNet -----------------------------------------------------------------------------------------------------------


def _unet() -> Tensors:
    unet = "model.diffusion_model"
    yield from _layer(f"{unet}.time_embed.0", _TIME, _CHANNELS)
    yield from _layer(f"{unet}.time_embed.2", _TIME, _TIME)
    yield from _layer(f"{unet}.input_blocks.0.0", _CHANNELS, 4, 3)
    narrow, middle, wide = (_CHANNELS * multiplier for multiplier in _MULTIPLIERS)
    # The tiny UNet lacks every second block, but not its number.
    for number, inputs, outputs in ((1, narrow, narrow), (4, narrow, middle), (7, middle, wide)):
        yield from _stage(f"{unet}.input_blocks.{number}", inputs, outputs)
    for number, width in ((3, narrow), (6, middle)):
        yield from _layer(f"{unet}.input_blocks.{number}.0.op", width, width, 3)
    joined = (
        (0, wide + wide, wide),
        (1, wide + middle, wide),
        (3, wide + middle, middle),
        (4, middle + narrow, middle),
        (6, middle + narrow, narrow),
        (7, narrow + narrow, narrow),
    )
    for number, inputs, outputs in joined:
        yield from _stage(f"{unet}.output_blocks.{number}", inputs, outputs)
    for place, width in (("2.1", wide), ("5.2", middle)):
        yield from _layer(f"{unet}.output_blocks.{place}.conv", width, width, 3)
    yield from _layer(f"{unet}.out.0", narrow)
    yield from _layer(f"{unet}.out.2", 4, narrow, 3)


def _stage(name: str, inputs: int, outputs: int) -> Tensors:
    yield from _layer(f"{name}.0.in_layers.0", inputs)
    yield from _layer(f"{name}.0.in_layers.2", outputs, inputs, 3)
    yield from _layer(f"{name}.0.emb_layers.1", outputs, _TIME)
    yield from _layer(f"{name}.0.out_layers.0", outputs)
    yield from _layer(f"{name}.0.out_layers.3", outputs, outputs, 3)
    if inputs != outputs:
        yield from _layer(f"{name}.0.skip_connection", outputs, inputs, 1)
    yield from _layer(f"{name}.1.norm", outputs)
    yield from _layer(f"{name}.1.proj_in", outputs, outputs, 1)
    yield from _attention(f"{name}.1.transformer_blocks.0", outputs)
    yield from _layer(f"{name}.1.proj_out", outputs, outputs, 1)


def _attention(name: str, width: int) -> Tensors:
    for attention, inputs in (("attn1", width), ("attn2", _TEXT)):
        yield f"{name}.{attention}.to_q.weight", (width, width)
        yield f"{name}.{attention}.to_k.weight", (width, inputs)
        yield f"{name}.{attention}.to_v.weight", (width, inputs)
        yield from _layer(f"{name}.{attention}.to_out.0", width, width)
    yield from _layer(f"{name}.ff.net.0.proj", 8 * width, width)
    yield from _layer(f"{name}.ff.net.2", width, 4 * width)
    yield from chain.from_iterable(_layer(f"{name}.norm{number}", width) for number in (1, 2, 3))


# --- text encoder, image encoder and decoder -------------------------------------------------------------------------


def _text_encoder() -> Tensors:
    clip = "cond_stage_model.transformer.text_model"
    yield f"{clip}.embeddings.token_embedding.weight", (_VOCABULARY, _TEXT)
    yield f"{clip}.embeddings.position_embedding.weight", (_TOKENS, _TEXT)
    for number in range(_LAYERS):
        layer = f"{clip}.encoder.layers.{number}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from _layer(f"{layer}.self_attn.{part}", _TEXT, _TEXT)
        yield from _layer(f"{layer}.layer_norm1", _TEXT)
        yield from _layer(f"{layer}.layer_norm2", _TEXT)
        yield from _layer(f"{layer}.mlp.fc1", 4 * _TEXT, _TEXT)
        yield from _layer(f"{layer}.mlp.fc2", _TEXT, 4 * _TEXT)
    yield from _layer(f"{clip}.final_layer_norm", _TEXT)


def _image_encoder() -> Tensors:
    encoder, wide = "first_stage_model.encoder", 4 * _ENCODER
    yield from _layer(f"{encoder}.conv_in", _ENCODER, 3, 3)
    inputs = _ENCODER
    for level, multiplier in enumerate(_LEVELS):
        width = _ENCODER * multiplier
        for number in range(2):
            yield from _residual(f"{encoder}.down.{level}.block.{number}", inputs, width)
            inputs = width
        if level < len(_LEVELS) - 1:
            yield from _layer(f"{encoder}.down.{level}.downsample.conv", width, width, 3)
    yield from _middle(encoder, wide)
    yield from _layer(f"{encoder}.norm_out", wide)
    yield from _layer(f"{encoder}.conv_out", 8, wide, 3)
    yield from _layer("first_stage_model.quant_conv", 8, 8, 1)


def _image_decoder() -> Tensors:
    decoder, wide = "first_stage_model.decoder", 4 * _DECODER
    yield from _layer("first_stage_model.post_quant_conv", 4, 4, 1)
    yield from _layer(f"{decoder}.conv_in", wide, 4, 3)
    yield from _middle(decoder, wide)
    inputs = wide
    for level, multiplier in reversed(tuple(enumerate(_LEVELS))):
        width = _DECODER * multiplier
        for number in range(3):
            yield from _residual(f"{decoder}.up.{level}.block.{number}", inputs, width)
            inputs = width
        if level:
            yield from _layer(f"{decoder}.up.{level}.upsample.conv", width, width, 3)
    yield from _layer(f"{decoder}.norm_out", _DECODER)
    yield from _layer(f"{decoder}.conv_out", 3, _DECODER, 3)


def _middle(name: str, width: int) -> Tensors:
    for number in (1, 2):
        yield from _residual(f"{name}.mid.block_{number}", width, width)
    yield from _layer(f"{name}.mid.attn_1.norm", width)
    for part in ("q", "k", "v", "proj_out"):
        yield from _layer(f"{name}.mid.attn_1.{part}", width, width, 1)


def _residual(name: str, inputs: int, outputs: int) -> Tensors:
    yield from _layer(f"{name}.norm1", inputs)
    yield from _layer(f"{name}.conv1", outputs, inputs, 3)
    yield from _layer(f"{name}.norm2", outputs)
    yield from _layer(f"{name}.conv2", outputs, outputs, 3)
    if inputs != outputs:
        yield from _layer(f"{name}.nin_shortcut", outputs, inputs, 1)
