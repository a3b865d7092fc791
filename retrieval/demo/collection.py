"""The demo collection as a folder: images and captions.jsonl, the same bytes for the same count and seed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from retrieval.demo.figure import BY_NAME, STORE, draw_figure, stream
from retrieval.demo.kind import Attributes, Drawn
from retrieval.errors import CorpusError
from retrieval.files import replacing

CAPTIONS = "captions.jsonl"
IMAGE_NAME = re.compile(r"\d{6}\.(png|jpg)")
COLOUR_KEYS = ("colour", "first", "up", "better", "gram")
"""Attributes that say a figure's leading colour, the first that it has."""


def draw_collection(folder: Path, count: int = 600, seed: int = 0) -> None:
    """Write `count` figures below `folder`: `images/000123.png` (some .jpg) and, last of all, `captions.jsonl`.

    Each line of it is an object: figure_id, image (path relative to `folder`), caption (a string, or a list of them),
    kind, split (train or heldout), article_id, modality, colour, panels. Safe to kill and run again: a folder with
    captions.jsonl is whole. Images of an earlier, other collection are removed; files of other names are left alone.
    Raises CorpusError for a count below 1 or a negative seed.
    """
    if count < 1 or seed < 0:
        raise CorpusError(f"a demo collection needs a count from 1 and a seed from 0, not {count} and {seed}")
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    (folder / CAPTIONS).unlink(missing_ok=True)  # until all is drawn, the folder must not look whole
    lines, names = [], set()
    for number, article in zip(range(count), articles(seed), strict=False):
        drawn = draw_figure(number, seed)
        name = write_image(drawn, images, number, stream(seed, number, STORE))
        names.add(name)
        lines.append(json.dumps(row(drawn, number, name, article), ensure_ascii=False))
    for stale in images.iterdir():
        if IMAGE_NAME.fullmatch(stale.name) and stale.name not in names:
            stale.unlink()
    with replacing(folder / CAPTIONS) as temporary:
        temporary.write_bytes("".join(f"{line}\n" for line in lines).encode())


def articles(seed: int) -> Iterator[int]:
    """The article of each figure in turn: 1 to 4 figures share one."""
    rng = np.random.default_rng([seed, STORE])
    article = 0
    while True:
        yield from [article] * int(rng.integers(1, 5))
        article += 1


def row(drawn: Drawn, number: int, name: str, article: int) -> dict[str, str | int | list[str]]:
    """One line of captions.jsonl."""
    return {
        "figure_id": f"figure-{number:06d}",
        "image": f"images/{name}",
        "caption": drawn.captions[0] if len(drawn.captions) == 1 else list(drawn.captions),
        "kind": drawn.kind,
        "split": "heldout" if drawn.heldout else "train",
        "article_id": f"article-{article:05d}",
        "modality": BY_NAME[drawn.kind].modality,
        "colour": leading_colour(drawn.attributes),
        "panels": int(drawn.attributes.get("panels", 1)),
    }


def leading_colour(attributes: Attributes) -> str:
    return next((str(attributes[key]) for key in COLOUR_KEYS if key in attributes), "none")


def write_image(drawn: Drawn, folder: Path, number: int, rng: np.random.Generator) -> str:
    """Write the image as PNG, now and then as JPEG or in another mode as real collections have them; gives its name."""
    form = float(rng.random())
    if form < 0.06:
        name = f"{number:06d}.jpg"
        drawn.image.save(folder / name, quality=88)
        return name
    name = f"{number:06d}.png"
    image = drawn.image
    if form < 0.10:
        image = image.quantize(128)
    elif form < 0.14:
        image = without_paper(image)
    elif form < 0.24 and is_grey(image):
        image = image.convert("L")
    image.save(folder / name, compress_level=3)  # half the time of the default, some 10 % more bytes
    return name


def without_paper(image: Image.Image) -> Image.Image:
    """RGBA with pure white made transparent (and black below, so that whoever drops the alpha sees it)."""
    pixels = np.asarray(image)
    paper = (pixels == 255).all(axis=2)
    solid = np.where(paper, 0, 255).astype(np.uint8)
    return Image.fromarray(np.dstack([pixels * ~paper[..., None], solid]))


def is_grey(image: Image.Image) -> bool:
    pixels = np.asarray(image)
    return bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())
