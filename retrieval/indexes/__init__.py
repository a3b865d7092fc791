"""Vectors to answers: exact search, FAISS indexes, BM25, and the index opened from disk."""
