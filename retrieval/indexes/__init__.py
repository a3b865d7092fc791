"""Indexes: the nearest rows of a vector, exactly or by FAISS with exact re-ranking."""

from retrieval.indexes.faiss_index import FaissIndex, build_index, empty_index, open_index

__all__ = ["FaissIndex", "build_index", "empty_index", "open_index"]
