"""Lexical search: captions by the words they hold, ranked by BM25."""

from retrieval.lexical.reading import Lexical
from retrieval.lexical.words import terms_of
from retrieval.lexical.writing import BYTES_A_CAPTION, read_about, write_lexical

__all__ = ["BYTES_A_CAPTION", "Lexical", "read_about", "terms_of", "write_lexical"]
