"""Options are the same given whole or as keywords, whichever verb takes them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from retrieval.errors import RetrievalError
from retrieval.evaluation.evaluate_options import EvaluateKeywords, EvaluateOptions
from retrieval.indexer.encode_options import EncodeKeywords, EncodeOptions
from retrieval.indexer.import_options import ImportKeywords, ImportOptions
from retrieval.keywords import as_tuple
from retrieval.search.search_options import SearchKeywords, SearchOptions

EVERY = [
    pytest.param(EvaluateOptions, EvaluateKeywords, "an evaluation", {"seed": 3}, id="evaluate"),
    pytest.param(EncodeOptions, EncodeKeywords, "encoding", {"shard_size": 3}, id="encode"),
    pytest.param(ImportOptions, ImportKeywords, "an import", {"shard_size": 3}, id="import"),
    pytest.param(SearchOptions, SearchKeywords, "a search", {"k": 3}, id="search"),
]


@pytest.mark.parametrize(("options", "keywords", "verb", "given"), EVERY)
def test_options_are_the_same_whole_or_as_keywords(
    options: Any, keywords: Any, verb: str, given: dict[str, Any]
) -> None:
    assert set(keywords.__annotations__) == {one.name for one in fields(options)}
    assert options.of(None, {}) == options()
    assert options.of(None, given) == options.of(options(**given), {}) == options(**given)
    with pytest.raises(RetrievalError, match="give options or keywords, not both"):
        options.of(options(), given)
    first = fields(options)[0].name
    with pytest.raises(RetrievalError, match=f"wher: no such option of {verb}; there are {first}, "):
        options.of(None, {"wher": 1})


def test_one_value_where_several_may_stand_is_a_tuple_of_it() -> None:
    assert SearchOptions.of(None, {"where": "year>=2018"}).where == ("year>=2018",)
    assert SearchOptions.of(None, {"where": ["a=1", "b=2"]}).where == ("a=1", "b=2")
    assert EvaluateOptions.of(None, {"ks": 7}).ks == (7,)
    assert as_tuple(None) == as_tuple([]) == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"shard_size": 0}, "shard_size is 0; give at least 1"),
        ({"max_skips": 5}, "max_skips is 5; give a share between 0 and 1"),
    ],
)
def test_an_import_that_cannot_be_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(RetrievalError, match=said):
        ImportOptions.of(None, given)  # type: ignore[arg-type]
