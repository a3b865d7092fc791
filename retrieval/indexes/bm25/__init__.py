"""Lexical search: captions ranked by BM25 for the words of a query."""
