"""OpenAI's CLIP written again from its paper (arXiv 2103.00020) and published weights, to check ours against.

Functions over a dictionary of weights, nothing of open_clip or transformers in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

Weights = dict[str, Tensor]
Activation = Callable[[Tensor], Tensor]


def quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


def encode_text(weights: Weights, ids: Tensor, activation: Activation = quick_gelu) -> Tensor:
    """(n, context) ids to (n, dim), not normalised: causal attention, the state at the end mark, the highest id."""
    x = weights["token_embedding.weight"][ids] + weights["positional_embedding"]
    length = ids.shape[1]
    mask = torch.full((length, length), float("-inf")).triu(1)
    x = _blocks(weights, "transformer.", x, x.shape[-1] // 64, activation, mask)
    x = _norm(weights, "ln_final", x)
    return x[torch.arange(len(x)), ids.argmax(dim=-1)] @ weights["text_projection"]


def encode_image_transformer(weights: Weights, pixels: Tensor, activation: Activation = quick_gelu) -> Tensor:
    """(n, 3, size, size) to (n, dim), not normalised: the state of a class token in front of the patches."""
    kernel = weights["visual.conv1.weight"]
    patches = F.conv2d(pixels, kernel, stride=kernel.shape[-1]).flatten(2).transpose(1, 2)
    first = weights["visual.class_embedding"].expand(len(pixels), 1, -1)
    x = torch.cat([first, patches], dim=1) + weights["visual.positional_embedding"]
    x = _norm(weights, "visual.ln_pre", x)
    x = _blocks(weights, "visual.transformer.", x, x.shape[-1] // 64, activation, None)
    return _norm(weights, "visual.ln_post", x[:, 0]) @ weights["visual.proj"]


def encode_image_resnet(weights: Weights, pixels: Tensor, heads: int) -> Tensor:
    """A ResNet with a stem of three convolutions, average pooling before each stride, and attention as last pooling."""
    x = pixels
    for number, stride in ((1, 2), (2, 1), (3, 1)):
        x = F.conv2d(x, weights[f"visual.conv{number}.weight"], stride=stride, padding=1)
        x = _batch_norm(weights, f"visual.bn{number}", x).relu()
    x = F.avg_pool2d(x, 2)
    for stage in (1, 2, 3, 4):
        block = 0
        while f"visual.layer{stage}.{block}.conv1.weight" in weights:
            x = _bottleneck(weights, f"visual.layer{stage}.{block}.", x, 2 if stage > 1 and block == 0 else 1)
            block += 1
    return _attention_pool(weights, "visual.attnpool.", x, heads)


def random_weights(
    *, width: int, layers: int | Sequence[int], size: int, text_width: int, dim: int, patch: int = 0, context: int = 77
) -> Weights:
    """A model of the same names and shapes with random weights; `layers` of four stages makes a ResNet."""
    generator = torch.Generator().manual_seed(width)
    made: Weights = {"logit_scale": torch.tensor(4.6)}

    def add(name: str, *shape: int, scale: float = 0.1, around: float = 0.0) -> None:
        made[name] = around + scale * torch.randn(shape, generator=generator)

    def affine(name: str, channels: int, *, batch: bool = False) -> None:
        add(f"{name}.weight", channels, around=1.0)
        add(f"{name}.bias", channels)
        if batch:
            add(f"{name}.running_mean", channels)
            made[f"{name}.running_var"] = 0.5 + torch.rand(channels, generator=generator)
            made[f"{name}.num_batches_tracked"] = torch.tensor(9)

    def transformer(name: str, wide: int, count: int) -> None:
        for number in range(count):
            block = f"{name}transformer.resblocks.{number}"
            affine(f"{block}.ln_1", wide)
            affine(f"{block}.ln_2", wide)
            for part, rows, columns in (
                (f"{block}.attn.in_proj_", 3 * wide, wide),
                (f"{block}.attn.out_proj.", wide, wide),
                (f"{block}.mlp.c_fc.", 4 * wide, wide),
                (f"{block}.mlp.c_proj.", wide, 4 * wide),
            ):
                add(f"{part}weight", rows, columns)
                add(f"{part}bias", rows)

    transformer("", text_width, 2)
    add("token_embedding.weight", 49408, text_width)
    add("positional_embedding", context, text_width)
    affine("ln_final", text_width)
    add("text_projection", text_width, dim)
    if isinstance(layers, int):
        transformer("visual.", width, layers)
        add("visual.conv1.weight", width, 3, patch, patch)
        add("visual.class_embedding", width)
        add("visual.positional_embedding", (size // patch) ** 2 + 1, width)
        affine("visual.ln_pre", width)
        affine("visual.ln_post", width)
        add("visual.proj", width, dim)
        return made
    for number, channels, given in ((1, width // 2, 3), (2, width // 2, width // 2), (3, width, width // 2)):
        add(f"visual.conv{number}.weight", channels, given, 3, 3, scale=0.2)
        affine(f"visual.bn{number}", channels, batch=True)
    given = width
    for stage, count in enumerate(layers, start=1):
        planes = width * 2 ** (stage - 1)
        for block in range(count):
            name = f"visual.layer{stage}.{block}"
            for number, out, into, kernel in (
                (1, planes, given, 1),
                (2, planes, planes, 3),
                (3, 4 * planes, planes, 1),
            ):
                add(f"{name}.conv{number}.weight", out, into, kernel, kernel)
                affine(f"{name}.bn{number}", out, batch=True)
            if block == 0:
                add(f"{name}.downsample.0.weight", 4 * planes, given, 1, 1)
                affine(f"{name}.downsample.1", 4 * planes, batch=True)
            given = 4 * planes
    add("visual.attnpool.positional_embedding", (size // 32) ** 2 + 1, given)
    for part, rows in (("q", given), ("k", given), ("v", given), ("c", dim)):
        add(f"visual.attnpool.{part}_proj.weight", rows, given, scale=0.03)
        add(f"visual.attnpool.{part}_proj.bias", rows)
    return made


def _blocks(weights: Weights, name: str, x: Tensor, heads: int, activation: Activation, mask: Tensor | None) -> Tensor:
    number = 0
    while f"{name}resblocks.{number}.ln_1.weight" in weights:
        block = f"{name}resblocks.{number}"
        normed = _norm(weights, f"{block}.ln_1", x)
        three = normed @ weights[f"{block}.attn.in_proj_weight"].T + weights[f"{block}.attn.in_proj_bias"]
        attended = _attention(*three.chunk(3, dim=-1), heads, mask)
        x = x + attended @ weights[f"{block}.attn.out_proj.weight"].T + weights[f"{block}.attn.out_proj.bias"]
        hidden = _norm(weights, f"{block}.ln_2", x) @ weights[f"{block}.mlp.c_fc.weight"].T
        hidden = activation(hidden + weights[f"{block}.mlp.c_fc.bias"])
        x = x + hidden @ weights[f"{block}.mlp.c_proj.weight"].T + weights[f"{block}.mlp.c_proj.bias"]
        number += 1
    return x


def _attention(query: Tensor, key: Tensor, value: Tensor, heads: int, mask: Tensor | None) -> Tensor:
    """(n, length, width) each, split into heads."""
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    if mask is not None:
        scores = scores + mask
    return (scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)


def _attention_pool(weights: Weights, name: str, x: Tensor, heads: int) -> Tensor:
    """The mean of all places asks all places and itself."""
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([x.mean(dim=1, keepdim=True), x], dim=1) + weights[f"{name}positional_embedding"]
    q, k, v = (x @ weights[f"{name}{part}_proj.weight"].T + weights[f"{name}{part}_proj.bias"] for part in "qkv")
    pooled = _attention(q[:, :1], k, v, heads, None)[:, 0]
    return pooled @ weights[f"{name}c_proj.weight"].T + weights[f"{name}c_proj.bias"]


def _bottleneck(weights: Weights, name: str, x: Tensor, stride: int) -> Tensor:
    out = _batch_norm(weights, f"{name}bn1", F.conv2d(x, weights[f"{name}conv1.weight"])).relu()
    out = _batch_norm(weights, f"{name}bn2", F.conv2d(out, weights[f"{name}conv2.weight"], padding=1)).relu()
    out = F.avg_pool2d(out, stride)
    out = _batch_norm(weights, f"{name}bn3", F.conv2d(out, weights[f"{name}conv3.weight"]))
    if f"{name}downsample.0.weight" in weights:
        x = F.conv2d(F.avg_pool2d(x, stride), weights[f"{name}downsample.0.weight"])
        x = _batch_norm(weights, f"{name}downsample.1", x)
    return (out + x).relu()


def _norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    centred = x - x.mean(dim=-1, keepdim=True)
    scaled = centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def _batch_norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    mean, variance, gain, shift = (
        weights[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (variance + 1e-5).sqrt() * gain + shift
