"""Indexes: the nearest rows of a vector, exactly or by FAISS with exact re-ranking."""

from retrieval.indexes.changing import change_index
from retrieval.indexes.faiss_index import FaissIndex, open_index
from retrieval.indexes.filling import build_index
from retrieval.indexes.kinds import empty_index

__all__ = ["FaissIndex", "build_index", "change_index", "empty_index", "open_index"]
