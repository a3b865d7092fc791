"""Encoders: images and texts to vectors of one space. `load_encoder` knows every way to name one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrieval.encoders.devices import devices
from retrieval.encoders.own_encoder import MODULE_OBJECT, checked_encoder, encoder_of_module
from retrieval.encoders.resolve import STARTER, read_parts, resolve
from retrieval.errors import EncoderError
from retrieval.types import Encoder

if TYPE_CHECKING:
    from retrieval.encoders.clip_encoder import ClipEncoder
    from retrieval.encoders.layouts.text_only import TextOnlyEncoder

__all__ = ["PRECISIONS", "RESIZE_MODES", "STARTER", "devices", "load_encoder", "load_plain"]

RESIZE_MODES = ("crop", "pad", "squash")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
PREPROCESSINGS = ("auto", "fast", "exact")


def load_encoder(
    name: str | Encoder,
    *,
    resize: str | None = None,
    device: str | None = None,
    precision: str = "fp32",
    preprocessing: str = "exact",
    trust_torchscript: bool = False,
) -> Encoder:
    """Open an encoder by name (docs/encoders.md). An object with the members of an Encoder is returned as it is.

    The name is `starter`, a named config, an import, `hf-hub:<owner>/<repository>`, `open_clip:<model>/<tag>`, a
    folder, a state-dict file, or `module:object` for an encoder of one's own (own_encoder.py).
    `resize` replaces the encoder's own way of fitting a figure into its square: `crop` (shorter side fits, the
    middle is kept), `pad` (longer side fits, the rest is white) or `squash` (the aspect ratio is given up).
    `device` is a torch device; by default a GPU where there is one. `precision` is fp32, bf16, fp16 or auto: half
    precision where that is faster and keeps the cosine to fp32 above 0.999 (precision.py). `preprocessing` is
    exact (open_clip's own transform, to the bit), fast (nearly always within one grey level of it, in a third of the
    time: preprocess.py) or auto: what the encoder's config says, else fast. `trust_torchscript` admits archives that
    may run code.
    Raises EncoderError where the name is unknown or its files are missing, incomplete or damaged.
    """
    if not isinstance(name, str):
        return checked_encoder(name)
    if MODULE_OBJECT.fullmatch(name) and not name.startswith(("open_clip:", "hf-hub:")):
        return encoder_of_module(name)
    if precision not in PRECISIONS:
        raise EncoderError(f"{precision}: no such precision; use one of {', '.join(PRECISIONS)}")
    if preprocessing not in PREPROCESSINGS:
        raise EncoderError(f"{preprocessing}: no such preprocessing; use one of {', '.join(PREPROCESSINGS)}")
    encoder = load_plain(name, resize=resize, device=device, trust_torchscript=trust_torchscript)
    if precision == "auto":
        from retrieval.encoders.precision import choose_precision

        precision = choose_precision(encoder)
    encoder.precision = precision
    if preprocessing != "auto":
        encoder.preprocessing = preprocessing
    return encoder


def load_plain(
    name: str, *, resize: str | None = None, device: str | None = None, trust_torchscript: bool = False
) -> ClipEncoder | TextOnlyEncoder:
    """As `load_encoder`, in fp32, with images prepared as the encoder's config says, else fast."""
    if resize is not None and resize not in RESIZE_MODES:
        raise EncoderError(f"{resize}: no such resize mode; use one of {', '.join(RESIZE_MODES)}")
    source = resolve(name)
    if source.kind == "text-only" and source.path is not None:
        if resize is not None:
            raise EncoderError(f"{name}: reads captions only; leave the resize mode out")
        from retrieval.encoders.layouts.text_only import TextOnlyEncoder

        return TextOnlyEncoder(source.path, name=name, pooling=source.pooling, device=device)
    from retrieval.encoders.clip_encoder import ClipEncoder

    parts = read_parts(source, trust_torchscript=trust_torchscript)
    encoder = ClipEncoder(parts, name=name, resize=resize, device=device)
    encoder.preprocessing = source.preprocessing or "fast"
    return encoder
