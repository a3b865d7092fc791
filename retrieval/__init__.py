"""Cross-modal figure search: index figures with captions, search them with words or images, measure recall@k.

    import retrieval

    index = retrieval.index("figures/", "indexes/mine", encoder="starter")
    index.search("axial CT of the abdomen", k=5, where="year >= 2018")
    index.search(image="scan.png")
    index.evaluate()

index, encode, build      make an index; open opens one, connect one behind `retrieval serve`
Index                     search, search_many, evaluate, add, remove, export, verify, figure, vectors
Query, Answer, Hit        what is asked, and what comes back
Filter                    which figures: Filter("year >= 2018") & ~Filter("licence = CC0")
load_encoder, classify    images and texts to vectors, images to labels
open_corpus               figures out of a folder, a table, an archive or a published corpus
RetrievalError            every error is one: CorpusError, EncoderError, QueryError, FilterError, ...
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

if _TYPE_CHECKING:
    from retrieval.api import Index as Index
    from retrieval.api import build as build
    from retrieval.api import encode as encode
    from retrieval.api import index as index
    from retrieval.api import open as open
    from retrieval.classification.classify import Prediction as Prediction
    from retrieval.classification.classify import classify as classify
    from retrieval.corpora import open_corpus as open_corpus
    from retrieval.encoders import load_encoder as load_encoder
    from retrieval.encoders.own_encoder import encoder_from_functions as encoder_from_functions
    from retrieval.errors import CorpusError as CorpusError
    from retrieval.errors import EncoderError as EncoderError
    from retrieval.errors import FilterError as FilterError
    from retrieval.errors import IndexLockedError as IndexLockedError
    from retrieval.errors import PlanMismatchError as PlanMismatchError
    from retrieval.errors import QueryError as QueryError
    from retrieval.errors import RetrievalError as RetrievalError
    from retrieval.errors import ShardError as ShardError
    from retrieval.errors import StaleIndexError as StaleIndexError
    from retrieval.errors import TooManySkipsError as TooManySkipsError
    from retrieval.evaluation.report import Report as Report
    from retrieval.search.query import Answer as Answer
    from retrieval.search.query import Query as Query
    from retrieval.server.client import connect as connect
    from retrieval.shards.filters import Filter as Filter
    from retrieval.types import Corpus as Corpus
    from retrieval.types import Encoder as Encoder
    from retrieval.types import Figure as Figure
    from retrieval.types import Hit as Hit
    from retrieval.types import Modality as Modality
    from retrieval.types import Skip as Skip

__version__ = "0.2.0"

# No __all__: with one, help(retrieval) prints every class whole. The names above are those of _HOMES (a test compares).
_HOMES = {
    "retrieval.api": "Index build encode index open",
    "retrieval.classification.classify": "Prediction classify",
    "retrieval.corpora": "open_corpus",
    "retrieval.encoders": "load_encoder",
    "retrieval.encoders.own_encoder": "encoder_from_functions",
    "retrieval.errors": "CorpusError EncoderError FilterError IndexLockedError PlanMismatchError QueryError "
    "RetrievalError ShardError StaleIndexError TooManySkipsError",
    "retrieval.evaluation.report": "Report",
    "retrieval.search.query": "Answer Query",
    "retrieval.server.client": "connect",
    "retrieval.shards.filters": "Filter",
    "retrieval.types": "Corpus Encoder Figure Hit Modality Skip",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module retrieval has no attribute {name}")
    return getattr(_import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return [*sorted(_HOME_OF), "__version__"]
