"""The starter encoder on figures it has never seen: what the first command shows must be meaningful."""

from __future__ import annotations

from pathlib import Path

import pytest

import retrieval
from retrieval.cli import main
from retrieval.evaluation.evaluate import evaluate
from retrieval.indexer.encode import encode
from retrieval.indexes.build import build

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = {
    "electrocardiogram": "ECG",
    "western blot of a protein with a loading control": "western blot",
    "Venn diagram of overlapping sets": "Venn diagram",
    "axial CT of the head with a lesion in the brain": "head CT",
    "Kaplan-Meier survival curves": "survival curve",
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn figures of another seed than the README's, indexed with the starter."""
    folder = tmp_path_factory.mktemp("demo")
    assert main(["draw", str(folder / "collections/demo"), "--count", "200", "--seed", "7"]) == 0
    encode(folder / "collections/demo", folder / "indexes/demo", "starter", shard_size=64)
    build(folder / "indexes/demo")
    return folder


def test_the_first_three_answers_to_five_questions_are_of_the_kind_that_was_asked_for(demo: Path) -> None:
    index = retrieval.open(demo / "indexes/demo")
    answers = index.search_many([retrieval.Query(text=text) for text in QUESTIONS], k=3)
    found = {text: [hit.metadata["kind"] for hit in answer] for text, answer in zip(QUESTIONS, answers, strict=True)}
    assert found == {text: [kind] * 3 for text, kind in QUESTIONS.items()}


def test_held_out_combinations_are_found_far_above_chance(demo: Path) -> None:
    report = evaluate(demo / "indexes/demo", queries="split=heldout")
    for direction in report.directions.values():
        chance = 10 / direction.gallery
        assert direction.measures["hit_rate@10"].value > 8 * chance
