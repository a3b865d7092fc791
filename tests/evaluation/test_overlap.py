"""What two collections have in common is found: all of it, and nothing else."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.encoders import load_encoder
from retrieval.errors import QueryError
from retrieval.evaluation.overlap.compare_collections import KINDS, Overlap, clean_ids, overlap
from retrieval.evaluation.overlap.shingles import NEAR, near_captions
from retrieval.types import Figure
from tests.doubles import COLOUR_ENCODER, ColourEncoder
from tests.images.test_near_duplicates import tissue
from tests.listed import index_of

LONG = (
    "axial computed tomography of the abdomen shows a large cyst in the right lobe of the liver without any wall at all"
)


def picture(seed: int, quality: int = 90, size: int = 400) -> bytes:
    buffer = io.BytesIO()
    tissue(seed).resize((size, size * 3 // 4)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def shown(name: str, seed: int | None, *captions: str, article: str | None = None, **metadata: Any) -> Figure:
    image = None if seed is None else picture(seed)
    return Figure(name, image, captions, f"{name}.jpg", article, metadata)


def resaved(name: str, seed: int, *captions: str, **metadata: Any) -> Figure:
    return Figure(name, picture(seed, 60, 300), captions, f"{name}.jpg", None, metadata)


def test_pairs_of_captions_come_in_the_same_order_in_every_process():
    code = (
        "from retrieval.evaluation.overlap.shingles import _shingled; "
        "print(_shingled(['a b c d', 'd c b a', 'b c d a']).members.tolist())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1


ONE = [
    shown("a1", 1, "red cells", article="PMC1"),
    shown("a2", 2, "blue cells", article="PMC1"),
    shown("a3", 3, LONG, article="PMC2"),
    shown("a4", None, "only words here", article="PMC3"),
]
OTHER = [
    shown("b1", 11, "nothing of that", article="PMC1"),
    shown("b2", 2, "the same file"),
    resaved("b3", 3, "the same picture"),
    shown("b4", 14, "Red   CELLS"),
    shown("b5", 15, LONG.replace("liver", "spleen")),
    shown("b6", 16, "clean", article="PMC9"),
    shown("b7", None, "clean as well"),
]


def made(folder: Path, figures: list[Figure], **options: Any) -> Path:
    index_of(folder, figures, encoder=load_encoder(COLOUR_ENCODER), thumbnail=192, **options)
    return folder


def told(found: Overlap) -> set[tuple[str, str, str]]:
    return {(touch.figure_id, touch.kind, touch.other_id) for touch in found.touches()}


def test_every_kind_of_overlap_is_found_with_its_counterpart(tmp_path: Path) -> None:
    (found,) = overlap(made(tmp_path / "one", ONE), made(tmp_path / "other", OTHER))
    assert told(found) == {
        ("b1", "article", "a1"),
        ("b2", "image", "a2"),
        ("b2", "picture", "a2"),
        ("b3", "picture", "a3"),
        ("b4", "caption", "a1"),
        ("b4", "words", "a1"),
        ("b5", "words", "a3"),
    }
    assert clean_ids([found]) == ["b6", "b7"]
    assert [found.found[kind].compared for kind in KINDS] == [2, 6, 6, 7, 7]
    assert found.verdict == f"{tmp_path / 'other'}: 5 of 7 figures (71.4%) are in {tmp_path / 'one'} in some way"
    assert "picture         2 of        6 compared: near-equal pictures" in str(found)
    scores = {(touch.figure_id, touch.kind): touch.score for touch in found.touches()}
    assert scores["b2", "picture"] == 1
    assert 0.88 < scores["b3", "picture"] <= 1
    assert NEAR <= scores["b5", "words"] < 1


def test_collections_without_anything_in_common_are_said_to_be_so(tmp_path: Path) -> None:
    (found,) = overlap(made(tmp_path / "one", ONE[:2]), made(tmp_path / "other", OTHER[5:]))
    assert (len(found.touched), found.share) == (0, 0.0)
    assert "none of 2 figures is in" in found.verdict
    assert clean_ids([found]) == ["b6", "b7"]


def test_within_one_index_a_figure_repeats_an_earlier_one_but_not_itself(tmp_path: Path) -> None:
    figures = [
        *ONE,
        resaved("again", 1, "red cells", "red cells"),
        shown("twice", 40, "one word more", "one word more"),
    ]
    (found,) = overlap(made(tmp_path / "one", figures))
    assert told(found) == {("again", "picture", "a1"), ("again", "caption", "a1"), ("again", "words", "a1")}
    assert clean_ids([found]) == ["a1", "a2", "a3", "twice", "a4"]
    assert "1 of 6 figures (16.7%) repeat an earlier one" in found.verdict
    (articles,) = overlap(tmp_path / "one", kinds=["article"])
    assert told(articles) == {("a2", "article", "a1")}


def test_a_split_column_is_compared_value_by_value_the_smaller_against_the_larger(tmp_path: Path) -> None:
    figures = [
        shown("t1", 1, "one", article="PMC1", split="train"),
        shown("t2", 2, "two", article="PMC1", split="train"),
        shown("t3", 3, "three", split="train"),
        shown("v1", 2, "four", split="val"),
        shown("v2", 5, "five", split="val"),
        shown("e1", 6, "six", article="PMC1", split="test"),
        shown("no", 1, "one"),
    ]
    found = overlap(made(tmp_path / "index", figures, columns={"split": "string"}), by="split")
    assert [(some.against.name, some.side.name) for some in found] == [
        ("split=train", "split=val"),
        ("split=train", "split=test"),
        ("split=val", "split=test"),
    ]
    assert [told(some) for some in found] == [
        {("v1", "image", "t2"), ("v1", "picture", "t2")},
        {("e1", "article", "t1")},
        set(),
    ]
    assert clean_ids(found) == ["v2"]


def test_figures_without_thumbnails_are_not_counted_as_compared(tmp_path: Path) -> None:
    index_of(tmp_path / "one", ONE[:1], encoder=ColourEncoder(), thumbnail=0)
    (found,) = overlap(tmp_path / "one", made(tmp_path / "other", OTHER[:2]), kinds=["picture"])
    assert (found.found["picture"].compared, len(found.touched)) == (2, 0)
    (found,) = overlap(tmp_path / "other", tmp_path / "one", kinds=["picture"])
    assert (found.found["picture"].compared, len(found.touched)) == (0, 0)


def test_the_report_as_json_says_what_the_report_says(tmp_path: Path) -> None:
    (found,) = overlap(made(tmp_path / "one", ONE), made(tmp_path / "other", OTHER), kinds=["image", "article"])
    assert found.as_json() == {
        "against": str(tmp_path / "one"),
        "side": str(tmp_path / "other"),
        "figures": 7,
        "touched": 2,
        "kinds": {"article": {"compared": 2, "touched": 1}, "image": {"compared": 6, "touched": 1}},
        "touches": [
            {"figure_id": "b1", "other_id": "a1", "kind": "article", "score": 1.0},
            {"figure_id": "b2", "other_id": "a2", "kind": "image", "score": 1.0},
        ],
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kinds": ["vibes"]}, "vibes: no such kind of overlap; there are article, image, picture, caption, words"),
        ({"by": "split"}, "no column split; there are none"),
        ({"by": "split", "other": "x"}, "a column splits one index"),
    ],
)
def test_an_impossible_comparison_is_refused(tmp_path: Path, options: Any, said: str) -> None:
    made(tmp_path / "one", ONE[:1])
    with pytest.raises(QueryError, match=re.escape(said)):
        overlap(tmp_path / "one", **options)


def test_a_column_of_one_value_splits_nothing(tmp_path: Path) -> None:
    made(tmp_path / "one", [shown("a", 1, "b", split="train")], columns={"split": "string"})
    with pytest.raises(QueryError, match="split: has 1 values"):
        overlap(tmp_path / "one", by="split")


def jaccard(one: str, other: str) -> float:
    sets = [{*pairwise(["", *text.split(), ""])} if text else set() for text in (one, other)]
    return len(sets[0] & sets[1]) / max(1, len(sets[0] | sets[1]))


TEXTS = st.lists(st.lists(st.sampled_from("abc"), max_size=12).map(" ".join), max_size=12)


@settings(deadline=None, max_examples=50)
@given(TEXTS, TEXTS)
def test_near_captions_are_all_pairs_that_are_near_enough(ours: list[str], theirs: list[str]) -> None:
    pairs, scores = near_captions(ours, theirs)
    found = {(i, j): score for (i, j), score in zip(pairs.tolist(), scores.tolist(), strict=True)}
    wanted = {
        (i, j): score
        for i, one in enumerate(ours)
        for j, other in enumerate(theirs)
        if (score := jaccard(one, other)) >= NEAR - 1e-9
    }
    assert found == pytest.approx(wanted)


def test_near_captions_of_many_long_texts_are_those_of_the_slow_way() -> None:
    rng = np.random.default_rng(0)
    words = np.array([f"w{number}" for number in range(300)])
    texts = [rng.choice(words, rng.integers(15, 40)) for _ in range(60)]
    theirs = [text.copy() for text in texts for _ in range(2)]
    for text in theirs:
        text[rng.integers(0, len(text), rng.integers(0, 4))] = "other"
    ours, changed = [" ".join(text) for text in texts], [" ".join(text) for text in theirs]
    pairs, _ = near_captions(ours, changed)
    wanted = [[i, j] for j, other in enumerate(changed) for i, one in enumerate(ours) if jaccard(one, other) >= NEAR]
    assert pairs.tolist() == wanted
    assert 40 < len(wanted) < 120


def test_pictures_that_real_books_share_are_found_though_no_file_is_the_same(shared_data: Path, tmp_path: Path) -> None:
    clusters = json.loads((shared_data / "near_duplicates.json").read_text(encoding="utf-8"))
    pairs = [names for names in clusters if len({name.split("/")[0] for name in names[:2]}) == 2][:25]
    sides = [[real(shared_data, names[side]) for names in pairs] for side in (0, 1)]
    one, other = (made(tmp_path / str(number), figures) for number, figures in enumerate(sides))
    (found,) = overlap(one, other, kinds=["image", "picture"])
    assert len(found.found["picture"].figures) >= 0.7 * len(pairs) > 10
    right = {names[1]: names[0] for names in pairs}
    assert all(right[touch.figure_id] == touch.other_id for touch in found.touches())


def real(shared_data: Path, name: str) -> Figure:
    corpus, figure = name.split("/")
    image = next((shared_data / corpus / "images").glob(f"{figure}.*")).read_bytes()
    return Figure(name, image, (name,), name)
