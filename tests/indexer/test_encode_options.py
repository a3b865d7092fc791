"""The options of encoding: the same whole or as keywords, checked before anything is read."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest

from retrieval.encoders import PRECISIONS, RESIZE_MODES
from retrieval.errors import RetrievalError
from retrieval.indexer.add import add
from retrieval.indexer.encode import encode
from retrieval.indexer.encode_options import ADD_OPTIONS, EncodeKeywords, EncodeOptions
from retrieval.shards.plan import LongCaptions, Plan
from tests.doubles import ColourEncoder


def test_options_are_the_same_whole_or_as_keywords(colour_folder: Path, tmp_path: Path) -> None:
    encode(colour_folder, tmp_path / "a", ColourEncoder(), EncodeOptions(shard_size=6, thumbnail=8))
    encode(colour_folder, tmp_path / "b", ColourEncoder(), shard_size=6, thumbnail=8)
    assert Plan.read(tmp_path / "a") == Plan.read(tmp_path / "b")
    assert Plan.read(tmp_path / "a").shard_size == 6
    assert add(tmp_path / "a", colour_folder, ColourEncoder(), EncodeOptions(batch_size=3)).change is None


def test_one_caption_column_may_be_a_str() -> None:
    assert EncodeOptions.of(None, {"caption_columns": "legend"}).caption_columns == ("legend",)
    assert EncodeOptions.of(None, {"caption_columns": ["a", "b"]}).of_source == {
        "image_column": None,
        "caption_columns": ["a", "b"],
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"shard_size": 0}, "shard_size is 0; give at least 1"),
        ({"thumbnail": -1}, "thumbnail is -1; give at least 0"),
        ({"max_skips": 5}, "max_skips is 5; give a share between 0 and 1, such as 0.05"),
        ({"shards": 3}, "shards: no such option of encoding; there are resize, precision"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(RetrievalError, match=said.replace("(", r"\(")):
        encode(tmp_path / "nowhere", tmp_path / "out", "starter", **options)
    assert not (tmp_path / "out").exists()


def test_options_and_keywords_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RetrievalError, match="give options or keywords, not both"):
        encode(tmp_path, tmp_path / "out", "starter", EncodeOptions(), shard_size=3)


def test_what_add_takes_are_options_of_encoding() -> None:
    for name in ADD_OPTIONS:
        assert hasattr(EncodeOptions(), name)


def test_what_the_index_decides_is_no_option_of_add(colour_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RetrievalError, match="shard_size: figures are added as those of the index were encoded"):
        add(tmp_path, colour_folder, ColourEncoder(), shard_size=3)  # type: ignore[call-arg]
    with pytest.raises(RetrievalError, match="shards: no such option of encoding"):
        add(tmp_path, colour_folder, ColourEncoder(), shards=3)  # type: ignore[call-arg]


def test_keywords_are_the_fields_and_choices_are_the_encoders() -> None:
    declared = {one.name: one for one in fields(EncodeOptions)}
    assert set(EncodeKeywords.__annotations__) == set(declared)
    assert declared["precision"].metadata["choices"] == PRECISIONS
    assert declared["long_captions"].metadata["choices"] == get_args(LongCaptions)
    assert set(declared["resize"].metadata["choices"]) == set(RESIZE_MODES)
