"""Recall@k: evaluation queries, relevance, exact ranks, metrics, intervals."""
