"""The names that users import."""

from __future__ import annotations

import pytest

import retrieval


def test_the_public_names_are_these() -> None:
    assert retrieval.__all__ == ["Query", "Searcher", "open", "open_corpus", "open_encoder"]
    for name in retrieval.__all__:
        assert callable(getattr(retrieval, name))


def test_other_names_are_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute clip"):
        retrieval.clip  # noqa: B018
