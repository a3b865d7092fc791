"""RGB images as an open_clip model wants them: by open_clip's own transform, or the same several times as fast."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from open_clip.transform import PreprocessCfg
from PIL.Image import Image, Resampling, fromarray
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from retrieval.encoders.foreign_parts import needed
from retrieval.types import Pixels

SHARP = np.random.default_rng(0).integers(0, 2, (90, 20, 3), dtype=np.uint8) * 255
Prepare = Callable[[Image], Pixels]


def exact(config: PreprocessCfg) -> Prepare:
    """open_clip's own transform, to the bit. It fails where an image so thin is padded that a side would vanish; that
    one is prepared by `fast`."""
    transform: Any = needed("open_clip.transform", "image_transform_v2")(config, is_train=False)
    size_of = needed("open_clip.transform", "ResizeKeepRatio").get_params
    pads, size = config.resize_mode == "longest", config.input_size[1:]

    def prepare(image: Image) -> Pixels:
        if pads and 0 in size_of(image, size, 1.0):
            return fast(config)(image)
        pixels: Pixels = transform(image).numpy()
        return pixels

    return prepare


def fast(config: PreprocessCfg) -> Prepare:
    """What `exact` does, resized by torch's vectorised code for bytes instead of Pillow's, then looked up in a table.

    A value differs by one grey level at most, but for about one in a million that differs by two: both round between
    the two directions of resizing, Pillow with finer weights (docs/log.md). What is left after resizing is the same to
    the bit: a byte has 256 values, and the table holds what open_clip's own steps make of each.
    """
    height, width = config.input_size[1:]
    bilinear = config.interpolation == "bilinear"
    interpolation = InterpolationMode.BILINEAR if bilinear else InterpolationMode.BICUBIC
    if config.resize_mode == "shortest" and height != width:
        return exact(config)  # open_clip leaves `interpolation` out here; no published encoder asks for it
    size_of = needed("open_clip.transform", "ResizeKeepRatio").get_params
    crop_or_pad = needed("open_clip.transform", "center_crop_or_pad")
    vertical_first = _pillow_goes_vertical_first()
    levels = torch.arange(256, dtype=torch.uint8).view(1, 256).expand(3, 1, 256)
    table = F.normalize(levels.to(torch.float32).div(255), list(config.mean), list(config.std)).numpy()[:, 0]

    def prepare(image: Image) -> Pixels:
        picture = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        match config.resize_mode:
            case "shortest":
                size = _shorter_side(image, height)
            case "longest":
                size = [max(1, side) for side in size_of(image, (height, width), 1.0)]
            case _:
                size = [height, width]
        if vertical_first and 2 * (image.width - size[1]) < image.height - size[0] > 0:
            picture = F.resize(picture, [size[0], image.width], interpolation, antialias=True)
        picture = F.resize(picture, size, interpolation, antialias=True)
        fitted = crop_or_pad(picture, [height, width], fill=config.fill_color).numpy()
        pixels = np.empty((3, height, width), np.float32)
        for channel in range(3):
            np.take(table[channel], fitted[channel], out=pixels[channel], mode="clip")
        return pixels

    return prepare


def _shorter_side(image: Image, side: int) -> list[int]:
    """The (height, width) to which torchvision resizes an image whose shorter side is to be `side`."""
    height, width = (side * length // min(image.size) for length in (image.height, image.width))
    return [height, width]


@cache
def _pillow_goes_vertical_first() -> bool:
    """Whether this Pillow resizes vertically first where the height shrinks by more than twice as much as the width.

    Version 13 does, earlier ones always begin horizontally. It shows at sharp edges, by 30 grey levels and more: what
    overshoots is cut off between the two passes.
    """
    once = fromarray(SHARP).resize((20, 30), Resampling.BICUBIC)  # one pass alone: the width stays
    whole = fromarray(SHARP).resize((24, 30), Resampling.BICUBIC)
    return bool(np.array_equal(np.asarray(whole), np.asarray(once.resize((24, 30), Resampling.BICUBIC))))
