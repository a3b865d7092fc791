"""Sections like computed tomography: head, chest and abdomen phantoms of ellipses, with lesions."""

from __future__ import annotations

import numpy as np
from PIL import Image

from retrieval.demo.kind import Attributes, Size
from retrieval.demo.palette import WHITE
from retrieval.demo.texture import Grey, blend, blurred, corner_text, ellipse, grey_image, grid, smooth_noise

RADII = {"small": 0.06, "medium": 0.11, "large": 0.18}


def lesions(
    picture: Grey,
    within: Grey,
    places: list[tuple[float, float]],
    radius: float,
    look: str,
    rng: np.random.Generator,
) -> None:
    """Round spots inside the organ `within`; `look` is bright, dark or ring."""
    x, y = grid((picture.shape[1], picture.shape[0]))
    for cx, cy in places:
        rx, ry = radius * rng.uniform(0.85, 1.15), radius * rng.uniform(0.85, 1.15)
        turn = float(rng.uniform(0, 3))
        value = {"bright": 0.93, "dark": 0.12, "ring": 0.95}[look]
        blend(picture, within * ellipse(x, y, cx, cy, rx, ry, turn, 0.025), value)
        if look == "ring":
            blend(picture, within * ellipse(x, y, cx, cy, rx * 0.62, ry * 0.62, turn, 0.025), 0.22)


def finished(picture: Grey, rng: np.random.Generator, size: Size) -> Image.Image:
    noisy = blurred(picture + rng.normal(0, 0.07, picture.shape).astype(np.float32), 0.8)
    image = grey_image(noisy + 0.03 * (smooth_noise(rng, size, 40) - 0.5) * (noisy > 0.05))
    corner_text(image, "R", WHITE)
    return image


def scatter_lesions(
    centre: tuple[float, float], number: int, gap: float, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """`number` places around `centre`, about `gap` apart."""
    if number == 1:
        return [(centre[0] + float(rng.uniform(-0.03, 0.03)), centre[1] + float(rng.uniform(-0.03, 0.03)))]
    first = float(rng.uniform(0, 2 * np.pi))
    angles = [first + 2 * np.pi * i / number for i in range(number)]
    return [(centre[0] + gap * float(np.cos(t)), centre[1] + gap * float(np.sin(t))) for t in angles]


def side_sign(side: Attributes) -> int:
    """The patient's right is on the picture's left."""
    return -1 if side["side"] == "right" else 1


def head(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    x, y = grid(size)
    picture = np.zeros((size[1], size[0]), dtype=np.float32)
    rx, ry = 0.72 + float(rng.uniform(-0.03, 0.03)), 0.9
    blend(picture, ellipse(x, y, 0, 0, rx, ry), 0.35)
    blend(picture, ellipse(x, y, 0, 0, rx - 0.03, ry - 0.03), 1.0)
    blend(picture, ellipse(x, y, 0, 0, rx - 0.09, ry - 0.09), 0.3)
    brain = ellipse(x, y, 0, 0, rx - 0.12, ry - 0.12)
    blend(picture, brain, 0.5 + 0.12 * (smooth_noise(rng, size, 14) - 0.5))
    blend(picture, ellipse(x, y, 0, 0, rx - 0.2, ry - 0.2, 0, 0.08), 0.44)
    blend(picture, ellipse(x, y, 0, 0, 0.008, ry - 0.14, 0, 0.008), 0.68)
    wide = {"normal": 1.0, "enlarged": 1.9}[a["ventricles"]]
    for sign in (-1, 1):
        blend(picture, ellipse(x, y, sign * 0.1 * wide**0.5, -0.16, 0.055 * wide, 0.19, sign * -0.3), 0.14)
        blend(picture, ellipse(x, y, sign * 0.15 * wide**0.5, 0.18, 0.045 * wide, 0.15, sign * 0.45), 0.14)
    radius, number = RADII[a["size"]], a["lesions"]
    lobe = {"frontal": (0.3, -0.48), "parietal": (0.42, 0.0), "occipital": (0.27, 0.5)}[a["region"]]
    places = scatter_lesions((lobe[0] * side_sign(a), lobe[1]), number, radius * 1.3 + 0.02, rng)
    lesions(picture, brain, places, radius * (0.8 if number > 1 else 1), a["look"], rng)
    return finished(picture, rng, size)


def torso(picture: Grey, x: Grey, y: Grey, rng: np.random.Generator) -> None:
    """Skin, fat, muscle, spine and ribs, seen from the feet."""
    blend(picture, ellipse(x, y, 0, 0, 1.18, 0.86), 0.62)
    blend(picture, ellipse(x, y, 0, 0, 1.16, 0.84), 0.2)
    blend(picture, ellipse(x, y, 0, 0, 1.07, 0.75), 0.5)
    blend(picture, ellipse(x, y, 0, 0.56, 0.17, 0.14), 1.0)
    blend(picture, ellipse(x, y, 0, 0.55, 0.11, 0.08, 0, 0.05), 0.78)
    blend(picture, ellipse(x, y, 0, 0.72, 0.05, 0.045), 0.35)
    for i in range(14):
        t = np.pi * (0.12 + i / 14 * 2)
        blend(picture, ellipse(x, y, 1.0 * np.cos(t), 0.68 * np.sin(t), 0.07, 0.025, t + np.pi / 2), 0.95)


def chest(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    x, y = grid(size)
    picture = np.zeros((size[1], size[0]), dtype=np.float32)
    torso(picture, x, y, rng)
    for sign in (-1, 1):
        lung = ellipse(x, y, sign * 0.54, 0.02, 0.38, 0.58, sign * -0.12)
        blend(picture, lung, 0.06)
        for _ in range(16):
            cx, cy = sign * (0.26 + 0.5 * rng.random()), rng.uniform(-0.35, 0.4)
            blend(picture, ellipse(x, y, cx, cy, 0.014, 0.014) * lung, 0.4)
    blend(picture, ellipse(x, y, 0.1, -0.12, 0.3, 0.3, 0.5), 0.58)
    blend(picture, ellipse(x, y, 0.1, 0.34, 0.08, 0.08), 0.72)
    blend(picture, ellipse(x, y, 0.0, 0.16, 0.06, 0.045), 0.05)
    if a["effusion"] == "effusion":
        lower = ellipse(x, y, side_sign(a) * 0.54, 0.02, 0.38, 0.58, side_sign(a) * -0.12) * np.clip(
            (y - 0.28) / 0.05, 0, 1
        )
        blend(picture, lower, 0.46)
    radius, number = RADII[a["size"]] * 0.9, a["lesions"]
    level = {"anterior": -0.3, "central": -0.02}[a["region"]]
    places = scatter_lesions((0.58 * side_sign(a), level), number, radius * 1.25 + 0.02, rng)
    inside = ellipse(x, y, side_sign(a) * 0.54, 0.02, 0.38, 0.58, side_sign(a) * -0.12)
    look = {"solid": "bright", "cavitary": "ring"}[a["look"]]
    lesions(picture, inside, places, radius * (0.8 if number > 1 else 1), look, rng)
    return finished(picture, rng, size)


def abdomen(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    x, y = grid(size)
    picture = np.zeros((size[1], size[0]), dtype=np.float32)
    torso(picture, x, y, rng)
    blend(picture, ellipse(x, y, 0, 0, 1.0, 0.66), 0.26)
    blend(picture, ellipse(x, y, -0.48, -0.06, 0.5, 0.48, 0.3, 0.04), 0.6)
    blend(picture, ellipse(x, y, 0.42, -0.28, 0.34, 0.24, 0.4, 0.04), 0.42)
    blend(picture, ellipse(x, y, 0.4, -0.34, 0.22, 0.1, 0.4, 0.03), 0.06)
    blend(picture, ellipse(x, y, 0.78, 0.12, 0.15, 0.32, 0.25, 0.04), 0.62)
    for sign in (-1, 1):
        blend(picture, ellipse(x, y, sign * 0.42, 0.42, 0.17, 0.13, sign * 0.5), 0.74)
        blend(picture, ellipse(x, y, sign * 0.37, 0.4, 0.07, 0.05, sign * 0.5, 0.05), 0.4)
        blend(picture, ellipse(x, y, sign * 0.2, 0.6, 0.13, 0.11), 0.54)
    blend(picture, ellipse(x, y, 0, 0.56, 0.17, 0.14), 1.0)
    blend(picture, ellipse(x, y, 0, 0.55, 0.11, 0.08, 0, 0.05), 0.78)
    blend(picture, ellipse(x, y, 0.05, 0.33, 0.075, 0.075), 0.8)
    for _ in range(7):
        blend(picture, ellipse(x, y, rng.uniform(0, 0.4), rng.uniform(-0.02, 0.22), 0.07, 0.06, 0, 0.04), 0.5)
    organ = a["organ"]
    centre = {
        "liver": (-0.52, -0.08),
        "right kidney": (-0.45, 0.42),
        "left kidney": (0.45, 0.42),
        "spleen": (0.78, 0.1),
    }[organ]
    radius, number = RADII[a["size"]] * (1.0 if organ == "liver" else 0.7), a["lesions"]
    places = scatter_lesions(centre, number, radius * 1.25 + 0.01, rng)
    inside = ellipse(x, y, 0, 0, 1.0, 0.7)
    lesions(picture, inside, places, radius * (0.8 if number > 1 else 1), a["look"], rng)
    return finished(picture, rng, size)
