"""Figures out of an index, with their captions, metadata and attribution: a table, a WebDataset shard or a folder."""

from retrieval.export.exporting import Exported, export
from retrieval.export.writers import FORMATS

__all__ = ["FORMATS", "Exported", "export"]
