"""Cross-modal figure search: build an index from figures and captions, ask it both ways, measure its recall.

    import retrieval
    from retrieval.indexes.build import build
    from retrieval.indexer.encode import encode
    from retrieval.evaluation.evaluate import evaluate

    encode("figures/", "indexes/mine", encoder="starter")
    build("indexes/mine")
    index = retrieval.open("indexes/mine")
    index.search("axial CT of the abdomen", k=5)
    index.search(image="scan.png")
    evaluate("indexes/mine")

The names of this module are imported when they are first used, so that `retrieval --help` answers at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retrieval.corpora import open_corpus
    from retrieval.encoders import open_encoder
    from retrieval.search.query import Query
    from retrieval.search.searcher import Searcher
    from retrieval.search.searcher import Searcher as open

__version__ = "0.1.0"
__all__ = ["Query", "Searcher", "open", "open_corpus", "open_encoder"]

_HOMES = {
    "Query": ("retrieval.search.query", "Query"),
    "Searcher": ("retrieval.search.searcher", "Searcher"),
    "open": ("retrieval.search.searcher", "Searcher"),
    "open_corpus": ("retrieval.corpora", "open_corpus"),
    "open_encoder": ("retrieval.encoders", "open_encoder"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module retrieval has no attribute {name}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)
