"""Is everything still what it was? One changed byte anywhere is found and named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import RetrievalError, StaleIndexError
from retrieval.files import read_json, write_json
from retrieval.indexes.build import build
from retrieval.indexes.verify import verified, verify
from tests.listed import figure, index_of

FIGURES = [figure(f"f{n}", (n, 5, 1), f"{n} 5 1", f"1 {n} 5") for n in range(6)]
DERIVED = ["image.npy", "text.npy", "image.figures.npy", "text.figures.npy", "image.faiss", "text.faiss"]
DERIVED += ["image.background.npy", "lexical/data.csc.index.npy", "lexical/vocab.index.json"]


@pytest.fixture
def built(tmp_path: Path) -> Path:
    index_of(tmp_path, FIGURES, shard_size=4)
    return tmp_path


def test_a_whole_index_is_told_line_by_line(built: Path) -> None:
    said = list(verified(built))
    assert len(said) == 6
    assert said[0].startswith("plan and 2 records: digest ")
    assert said[2].startswith("6 image vectors")
    assert said[3].startswith("12 text vectors")


@pytest.mark.parametrize("name", DERIVED)
@pytest.mark.parametrize("damage", ["deleted", "flipped", "cut", "emptied"])
def test_a_damaged_derived_file_is_named_and_building_again_mends_it(built: Path, name: str, damage: str) -> None:
    path = built / name
    data = bytearray(path.read_bytes())
    path.unlink()
    if damage == "flipped":
        data[-5] ^= 1
        path.write_bytes(data)
    elif damage != "deleted":
        path.write_bytes(data[:-1] if damage == "cut" else b"")
    with pytest.raises(StaleIndexError, match=name.replace(".", r"\.") + r".*run:? retrieval build"):
        verify(built)
    build(built)
    verify(built)


def test_derived_files_of_another_modality_are_found(built: Path) -> None:
    (built / "image.npy").write_bytes((built / "text.npy").read_bytes())
    with pytest.raises(StaleIndexError, match=r"image\.npy: holds \(12, 3\), the shards \(6, 3\)"):
        verify(built)


def test_figure_numbers_that_do_not_follow_from_the_ids_are_found(built: Path) -> None:
    for name in ("text.figures.npy", "image.figures.npy"):
        numbers = np.load(built / name)
        np.save(built / name, np.where(numbers == 3, 2, numbers).astype(np.int32))
        with pytest.raises(StaleIndexError, match=name):
            verify(built)


def test_a_changed_plan_is_found(built: Path) -> None:
    write_json(built / "plan.json", read_json(built / "plan.json") | {"shard_size": 5})
    with pytest.raises(StaleIndexError, match="built from other shards"):
        verify(built)


def test_a_folder_that_is_no_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RetrievalError, match="not an index"):
        verify(tmp_path)
