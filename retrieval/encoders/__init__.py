"""Encoders: images and texts to vectors of one space. `open_encoder` knows every way to name one."""

from __future__ import annotations

from pathlib import Path

from retrieval.config import encoder_config, encoder_names
from retrieval.errors import EncoderError
from retrieval.types import Encoder

STARTER = Path(__file__).with_name("starter")
RESIZE_MODES = ("crop", "pad", "squash")


def open_encoder(name: str | Encoder, *, resize: str | None = None, device: str | None = None) -> Encoder:
    """Open an encoder by name: `starter`, a named config, `hf-hub:<owner>/<repository>` or a bundle folder.

    `resize` replaces the encoder's own way of fitting a figure into its square: `crop` (shorter side fits, the
    middle is kept), `pad` (longer side fits, the rest is white) or `squash` (the aspect ratio is given up).
    `device` is a torch device; by default a GPU where there is one. An Encoder object is returned as it is.
    Raises EncoderError where the name is unknown or its files are missing, incomplete or damaged.
    """
    if not isinstance(name, str):
        return name
    if resize is not None and resize not in RESIZE_MODES:
        raise EncoderError(f"{resize}: no such resize mode; use one of {', '.join(RESIZE_MODES)}")
    folder = bundle_folder(name)
    from retrieval.encoders.bundle import BundleEncoder
    from retrieval.encoders.openclip_layout import read_openclip

    return BundleEncoder(read_openclip(folder), name=name, resize=resize, device=device)


def bundle_folder(name: str) -> Path:
    """Where the files of an encoder are; a hub repository is downloaded into the hub's cache first."""
    if name == "starter":
        return STARTER
    if name in encoder_names():
        config = encoder_config(name)
        return _from_hub(config.source.removeprefix("hf-hub:"), f"{name} ({config.size_mb} MB, {config.licence})")
    if name.startswith("hf-hub:"):
        return _from_hub(name.removeprefix("hf-hub:"), name)
    folder = Path(name).expanduser()
    if (folder / "open_clip_config.json").is_file():
        return folder
    if folder.is_dir():
        raise EncoderError(f"{name}: no open_clip_config.json there, so this folder is not an encoder bundle")
    known = ", ".join(["starter", *encoder_names()])
    raise EncoderError(f"{name}: no such encoder; try {known}, hf-hub:<owner>/<repository> or a bundle folder")


def _from_hub(repository: str, title: str) -> Path:
    from retrieval.encoders.hub import download

    return download(repository, title)
