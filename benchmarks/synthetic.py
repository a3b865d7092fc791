"""Figure-caption pairs as vectors, of any number: CLIP-like, with a gap between the modalities.

What makes approximate search across modalities hard is modelled: topics under super-topics with Zipf frequencies, a
power-law spectrum, image and caption subspaces that are only partly aligned, clusters that one modality has alone,
noise, and a cone for each modality around a mean of its own. Two variants: M, and H with a flatter spectrum and less in
common. Row i follows from the seed alone, however the rows are cut, so that 15 million are streamed and never held.

`python benchmarks/synthetic.py` measures what the vectors are like; synthetic_files.py writes them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from environment import describe_machine
from numpy.typing import NDArray

from retrieval.files import write_json
from retrieval.types import Vectors

Modality = Literal["image", "text"]
BLOCK = 8192  # rows drawn together: part of what a seed means, so it is no option
IMAGE_MEAN, TEXT_MEAN, MEANS_PRODUCT = (
    0.525,
    0.395,
    0.14,
)  # cosines within images, within captions, across unmatched pairs


@dataclass(frozen=True)
class Variant:
    """What a pair consists of: shares are of the variance around a modality's mean and add up to 1 with noise."""

    shared: float  # image and caption say the same
    own: float  # clusters of one modality alone
    topic: float  # of the shared part, what a topic explains
    alignment: float  # cosine between the two modalities' subspaces
    blur: float  # how far the median caption's shared part strays from its image's, in units of that part
    vagueness: float  # how unequal captions are in this: the deviation of the logarithm
    decay: float  # exponent of the spectrum of what is shared, in images
    text_decay: float  # and in captions: flatter, as they ask for what varies little between images
    topics: int = 20_000
    supertopics: int = 400
    own_clusters: int = 2_000


VARIANTS = {
    "M": Variant(
        shared=0.70, own=0.23, topic=0.80, alignment=0.92, blur=0.22, vagueness=1.8, decay=1.8, text_decay=0.5
    ),
    "H": Variant(
        shared=0.62, own=0.22, topic=0.74, alignment=0.70, blur=0.30, vagueness=1.6, decay=1.1, text_decay=0.0
    ),
}


class Pairs:
    """An endless collection of pairs: row i has an image and a caption, both (dim,) of length 1."""

    def __init__(self, variant: str = "M", dim: int = 512, seed: int = 0) -> None:
        self.variant, self.dim, self.seed = VARIANTS[variant], dim, seed
        v, rng = self.variant, np.random.default_rng(seed)
        self._rank, self._own_rank = dim // 4, dim // 8
        supertopics = rng.standard_normal((v.supertopics, self._rank))
        topics = rng.standard_normal((v.topics, self._rank)) + supertopics[rng.integers(v.supertopics, size=v.topics)]
        self._topic_ends, self._topics = _zipf(topics * np.sqrt(v.topic / 2))
        turned = np.linalg.qr(rng.standard_normal((dim, 2 * self._rank)))[0].T
        image_axes, other_axes = turned[: self._rank], turned[self._rank :]
        text_axes = v.alignment * image_axes + np.sqrt(1 - v.alignment**2) * other_axes
        means = np.linalg.qr(rng.standard_normal((dim, 2)))[0].T
        image_mean = np.sqrt(IMAGE_MEAN) * means[0]
        along = MEANS_PRODUCT / np.sqrt(IMAGE_MEAN)
        text_mean = along * means[0] + np.sqrt(TEXT_MEAN - along**2) * means[1]
        self._image = self._modality(rng, image_mean, image_axes, v.decay)
        self._text = self._modality(rng, text_mean, text_axes, v.text_decay)

    def _modality(
        self, rng: np.random.Generator, mean: NDArray[np.float64], axes: NDArray[np.float64], decay: float
    ) -> _Modality:
        v = self.variant
        spread = np.arange(4, self._rank + 4) ** (-decay / 2)
        spread *= np.sqrt(v.shared / np.sum(spread**2))
        energy = 1 - mean @ mean
        own_axes = np.linalg.qr(rng.standard_normal((self.dim, self._own_rank)))[0].T
        clusters = rng.standard_normal((v.own_clusters, self._own_rank)) * np.sqrt(0.5 / self._own_rank)
        ends, centres = _zipf(clusters)
        loading = np.concatenate([spread[:, None] * axes, np.sqrt(v.own) * own_axes]) * np.sqrt(energy)
        noise = np.sqrt(energy * (1 - v.shared - v.own) / self.dim)
        return _Modality(mean.astype(np.float32), loading.astype(np.float32), ends, centres, np.float32(noise))

    def images(self, start: int, stop: int) -> Vectors:
        """The images of rows `start` to `stop`, (stop - start, dim)."""
        return self._rows("image", start, stop)

    def captions(self, start: int, stop: int) -> Vectors:
        """The captions of rows `start` to `stop`, (stop - start, dim)."""
        return self._rows("text", start, stop)

    def _rows(self, modality: Modality, start: int, stop: int) -> Vectors:
        rows = np.empty((stop - start, self.dim), dtype=np.float32)
        for number in range(start // BLOCK, -(-stop // BLOCK)):
            first = number * BLOCK
            mine = slice(max(start, first), min(stop, first + BLOCK))
            block = self._block(number, modality)
            rows[mine.start - start : mine.stop - start] = block[mine.start - first : mine.stop - first]
        return rows

    def _block(self, number: int, modality: Modality) -> Vectors:
        """All rows of one block. Image and caption draw the same shared part from one stream, the rest from another."""
        shared, image, text = (
            np.random.Generator(np.random.SFC64(child))
            for child in np.random.SeedSequence([self.seed, number]).spawn(3)
        )
        v = self.variant
        latent = np.empty((BLOCK, self._rank + self._own_rank), dtype=np.float32)
        meant, own = latent[:, : self._rank], latent[:, self._rank :]
        meant[:] = shared.standard_normal(meant.shape, dtype=np.float32)
        meant *= np.float32(np.sqrt(1 - v.topic))
        meant += self._topics[np.searchsorted(self._topic_ends, shared.random(BLOCK))]
        if modality == "image":
            rng, made = image, self._image
        else:
            rng, made = text, self._text
            astray = text.standard_normal(meant.shape, dtype=np.float32)
            blur = v.blur * np.exp(v.vagueness * text.standard_normal((BLOCK, 1), dtype=np.float32))
            meant += blur * astray
            meant /= np.sqrt(1 + blur**2)
        own[:] = rng.standard_normal(own.shape, dtype=np.float32)
        own *= np.float32(np.sqrt(0.5 / self._own_rank))
        own += made.clusters[np.searchsorted(made.ends, rng.random(BLOCK))]
        rows = rng.standard_normal((BLOCK, self.dim), dtype=np.float32)
        rows *= made.noise
        rows += latent @ made.loading
        rows += made.mean
        rows /= np.sqrt(np.einsum("nd,nd->n", rows, rows))[:, None]
        return rows


@dataclass(frozen=True)
class _Modality:
    """A cone: its mean (dim,), how latent variables load on it, its own clusters and noise."""

    mean: NDArray[np.float32]
    loading: NDArray[np.float32]
    ends: NDArray[np.float64]
    clusters: NDArray[np.float32]
    noise: np.float32


def _zipf(centres: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Zipf frequencies of n centres, as the end of each one's share of [0, 1), and the centres with their mean at 0."""
    share = 1 / (np.arange(len(centres)) + 10.0)
    share /= share.sum()
    ends = np.cumsum(share)
    ends[-1] = 1
    return ends, (centres - share @ centres).astype(np.float32)


def statistics(pairs: Pairs, rows: int) -> dict[str, float]:
    """What pairs are like, in the terms of the literature on the modality gap, over the first `rows` of them.

    `lid_*` is the median local intrinsic dimension (Amsaleg et al. 2015) over the 100 nearest images: of images that
    are not among them (id) and of captions (ood).
    """
    queries = pairs.captions(0, 2000)
    others = pairs.images(-(-rows // BLOCK) * BLOCK, -(-rows // BLOCK) * BLOCK + 500)
    nearest = np.full((len(queries) + len(others), 100), -1, dtype=np.float32)
    own = np.einsum("nd,nd->n", queries, pairs.images(0, len(queries)))
    better = np.zeros(len(queries), dtype=np.int64)
    for start in range(0, rows, BLOCK):
        images = pairs.images(start, min(start + BLOCK, rows))
        scores = np.concatenate([queries, others]) @ images.T
        better += np.sum(scores[: len(queries)] > own[:, None] + 1e-6, axis=1)
        nearest = np.partition(np.concatenate([nearest, scores], axis=1), -100, axis=1)[:, -100:]
    images, captions = pairs.images(0, 2 * BLOCK), pairs.captions(0, 2 * BLOCK)
    image, text = images.mean(0), captions.mean(0)
    variances = np.sort(np.linalg.eigvalsh(np.cov(images.T)))[::-1]
    dimension = _intrinsic_dimension(nearest)
    found = {
        "image-image": image @ image,
        "text-text": text @ text,
        "image-text": image @ text,
        "matched": np.mean(np.einsum("nd,nd->n", images, captions)),
        "gap": np.linalg.norm(image - text),
        "participation": variances.sum() ** 2 / np.sum(variances**2),
        "dimensions of 90 %": np.searchsorted(np.cumsum(variances), 0.9 * variances.sum()) + 1,
        "lid_id": np.median(dimension[len(queries) :]),
        "lid_ood": np.median(dimension[: len(queries)]),
        **{f"hit_rate@{k}": np.mean(better < k) for k in (1, 5, 10)},
    }
    return {name: round(float(value), 3) for name, value in found.items()}


def _intrinsic_dimension(cosines: NDArray[np.float32]) -> NDArray[np.float64]:
    distances = np.sqrt(np.maximum(2 - 2 * np.sort(cosines, axis=1)[:, ::-1].astype(np.float64), 1e-12))
    return -1 / np.mean(np.log(distances[:, :-1] / distances[:, -1:]), axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/synthetic.json"))
    args = parser.parse_args()
    found = []
    for variant in VARIANTS:
        for rows in args.rows:
            found.append({"variant": variant, "rows": rows, **statistics(Pairs(variant, args.dim, args.seed), rows)})
            print(found[-1], flush=True)
    write_json(args.out, {"machine": describe_machine(), "dim": args.dim, "seed": args.seed, "statistics": found})


if __name__ == "__main__":
    main()
