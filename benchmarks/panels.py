"""What rows of panels do to recall: crops of a compound figure's panels, sub-captions of its caption, or both.

DATA is a folder of corpora as in heldout.py. One pool are its held-out pairs; the other the corpora of --corpora as a
whole, most of whose pairs a starter was trained on, but of which more are compound. A figure scores the best cosine of
its image rows with its text rows: whole only, with a row a panel, with a row a sub-caption, with both, whichever side
asks. So t2i with panels is a whole caption that searches panel rows too, and i2t with panels a figure that asks by its
panels too. "averaged" is the mean of whole only and best; "aligned" takes parts only where image and caption have as
many. Then parts are asked on their own: a sub-caption for its figure, a panel for its caption. Scores are exact; ties
count against us; intervals are over articles, differences paired with whole only.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from environment import describe_machine
from heldout import write_pool
from numpy.typing import NDArray
from PIL import Image

from retrieval.corpora.panels.image_split import split_panels
from retrieval.corpora.panels.sub_captions import split_caption
from retrieval.encoders import load_encoder
from retrieval.encoders.captions import encode_captions
from retrieval.evaluation.bootstrap import estimates, paired
from retrieval.evaluation.ranks.order import TIE
from retrieval.files import write_json
from retrieval.images.decode import decode
from retrieval.types import Encoder, Vectors

KS = (1, 5, 10)
CORPORA = ("papers-modern",)
Codes = NDArray[np.int64]
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Side:
    """The rows of one modality: vectors, the figure of each from 0 in order, and which are whole."""

    vectors: Vectors
    figures: Codes
    is_whole: NDArray[np.bool_]

    def keep(self, rows: NDArray[np.bool_]) -> Side:
        return Side(self.vectors[rows], self.figures[rows], self.is_whole[rows])

    def wholes(self) -> Side:
        return self.keep(self.is_whole)

    def parts(self) -> Side:
        return self.keep(~self.is_whole)

    def parts_of(self, figures: NDArray[np.bool_]) -> Side:
        """All wholes, and the parts of some figures."""
        return self.keep(self.is_whole | figures[self.figures])


def rows_of(wholes: Sequence[Any], parts: Sequence[Sequence[Any]]) -> tuple[list[Any], Codes, NDArray[np.bool_]]:
    """Each figure's whole, then its parts; the figure of each row; which are whole."""
    rows = [row for whole, own in zip(wholes, parts, strict=True) for row in (whole, *own)]
    figures = np.repeat(np.arange(len(wholes)), [1 + len(own) for own in parts])
    return rows, figures, np.concatenate([[True], figures[1:] != figures[:-1]])


def encode_images(encoder: Encoder, images: Sequence[Image.Image], batch: int = 64) -> Vectors:
    vectors = [
        encoder.encode_images(np.stack([encoder.prepare(image) for image in images[start : start + batch]]))
        for start in range(0, len(images), batch)
    ]
    return np.concatenate(vectors)


def figure_scores(images: Side, texts: Side) -> Scores:
    """(figures, figures) of images by texts: the best cosine of any rows of two figures; rows grouped by figure."""
    cosines = texts.vectors @ images.vectors.T
    best = np.maximum.reduceat(cosines, np.unique(texts.figures, return_index=True)[1], axis=0)
    return np.ascontiguousarray(
        np.maximum.reduceat(best, np.unique(images.figures, return_index=True)[1], axis=1), dtype=np.float32
    ).T


def measures(scores: Scores, relevant: Codes) -> dict[str, NDArray[np.float64]]:
    """By query: scores (queries, figures) and the relevant figure of each. All others that tie stand before it."""
    bars = scores[np.arange(len(scores)), relevant] - TIE
    ranks = (scores >= bars[:, None]).sum(axis=1).astype(np.float64)
    return {**{f"hit_rate@{k}": (ranks <= k).astype(np.float64) for k in KS}, "median_rank": ranks}


def compared(systems: dict[str, dict[str, NDArray[np.float64]]], articles: Codes) -> dict[str, Any]:
    """Every system, and the difference of each to the first."""
    first = next(iter(systems))
    told: dict[str, Any] = {
        name: {key: asdict(found) for key, found in estimates(values, articles).items()}
        for name, values in systems.items()
    }
    for name, values in list(systems.items())[1:]:
        told[f"{name} - {first}"] = {
            key: asdict(found) for key, found in paired(values, systems[first], articles).items()
        }
    return told


def both_directions(images: Side, texts: Side, asked: NDArray[np.bool_], articles: Codes) -> dict[str, Any]:
    """Figures asked by all their rows, searched by all rows: only those of the mask, among all figures."""
    alike = pairs(images, texts)
    kept = {
        "whole": (images.wholes(), texts.wholes()),
        "panels": (images, texts.wholes()),
        "sub-captions": (images.wholes(), texts),
        "both": (images, texts),
        "both, aligned": (images.parts_of(alike), texts.parts_of(alike)),
    }
    scores = {name: figure_scores(*sides) for name, sides in kept.items()}
    for name in ("panels", "sub-captions"):
        scores[f"{name}, averaged"] = (scores[name] + scores["whole"]) / 2
    figures = np.flatnonzero(asked)
    return {
        "t2i": compared({name: measures(some.T[asked], figures) for name, some in scores.items()}, articles[asked]),
        "i2t": compared({name: measures(some[asked], figures) for name, some in scores.items()}, articles[asked]),
    }


def pairs(images: Side, texts: Side) -> NDArray[np.bool_]:
    """Which figures have as many panels as sub-captions."""
    counts = [np.bincount(side.parts().figures, minlength=side.figures[-1] + 1) for side in (images, texts)]
    return (counts[0] == counts[1]) & (counts[0] > 1)


def parts_asked(images: Side, texts: Side, articles: Codes) -> dict[str, Any]:
    """Each sub-caption asks for its figure among images, each panel for its figure among captions."""
    result = {}
    for direction, asked, gallery, name in (
        ("sub-caption → image", texts.parts(), images, "panels"),
        ("panel → caption", images.parts(), texts, "sub-captions"),
    ):
        single = Side(asked.vectors, np.arange(len(asked.figures)), np.ones(len(asked.figures), dtype=bool))
        scores = {"whole": figure_scores(gallery.wholes(), single), name: figure_scores(gallery, single)}
        scores[f"{name}, averaged"] = (scores["whole"] + scores[name]) / 2
        systems = {label: measures(some.T, asked.figures) for label, some in scores.items()}
        result[direction] = compared(systems, articles[asked.figures])
    return result


def measure(encoder: Encoder, pool: Path) -> dict[str, Any]:
    rows = [json.loads(line) for line in pool.read_text(encoding="utf-8").splitlines()]
    pictures = [decode(Path(row["image"]).read_bytes()) for row in rows]
    started = time.process_time()
    panels = [[picture.crop(box) for box in split_panels(picture)] for picture in pictures]
    between = time.process_time()
    captions = [[sub.whole for sub in split_caption(row["caption"])] for row in rows]
    ended = time.process_time()
    crops, of_image, image_whole = rows_of(pictures, panels)
    words, of_text, text_whole = rows_of([row["caption"] for row in rows], captions)
    images = Side(encode_images(encoder, crops), of_image, image_whole)
    texts = Side(encode_captions(encoder, words, in_windows=True, batch_size=64).vectors, of_text, text_whole)
    articles = np.unique([row["article_id"] for row in rows], return_inverse=True)[1].astype(np.int64)
    compound = np.array([bool(some or own) for some, own in zip(panels, captions, strict=True)])
    return {
        "figures": len(rows),
        "cut into panels": sum(map(bool, panels)),
        "split captions": sum(map(bool, captions)),
        "as many panels as sub-captions": int(pairs(images, texts).sum()),
        "panel rows": sum(map(len, panels)),
        "sub-caption rows": sum(map(len, captions)),
        "processor seconds a figure": {
            "split_panels": (between - started) / len(rows),
            "split_caption": (ended - between) / len(rows),
        },
        "all": both_directions(images, texts, np.ones(len(rows), dtype=bool), articles),
        "compound": both_directions(images, texts, compound, articles),
        "parts": parts_asked(images, texts, articles),
    }


def show(title: str, directions: dict[str, Any]) -> None:
    for direction, systems in directions.items():
        print(f"{title}, {direction}, {next(iter(systems.values()))['hit_rate@1']['queries']} queries")
        for name, found in systems.items():
            print(f"  {name:<32}{'  '.join(cells(found))}", flush=True)


def cells(found: dict[str, Any]) -> Iterable[str]:
    for measure, estimate in found.items():
        low, high = estimate["interval"] or (np.nan, np.nan)
        yield f"{measure} {estimate['value']:.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of corpora with heldout_1000.json")
    parser.add_argument("--encoder", default="starter")
    parser.add_argument("--corpora", nargs="+", default=list(CORPORA), help="pool of whole corpora")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/panels.json"))
    args = parser.parse_args()
    encoder = load_encoder(args.encoder)
    pools: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for pool, corpora in (("held-out", None), ("+".join(args.corpora), args.corpora)):
            pools[pool] = found = measure(encoder, write_pool(args.data, Path(temporary), corpora))
            print({key: value for key, value in found.items() if key not in ("all", "compound", "parts")})
            for part in ("all", "compound", "parts"):
                show(f"{pool}, {part}", found[part])
    write_json(args.out, {"machine": describe_machine(), "encoder": args.encoder, "pools": pools})


if __name__ == "__main__":
    main()
