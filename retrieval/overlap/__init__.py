"""What two collections, or two parts of one, have in common: articles, images, pictures, captions."""

from retrieval.overlap.comparing import KINDS, Overlap, Touch, clean_ids, overlap

__all__ = ["KINDS", "Overlap", "Touch", "clean_ids", "overlap"]
