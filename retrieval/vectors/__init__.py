"""Embeddings in and out: shards of vectors that were computed elsewhere, and vectors as other programs read them."""

from retrieval.vectors.exporting import LAYOUTS, Layout, export_vectors
from retrieval.vectors.importing import Imported, import_vectors

__all__ = ["LAYOUTS", "Imported", "Layout", "export_vectors", "import_vectors"]
