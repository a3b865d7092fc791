"""Evaluation in depth: curves, strata, examples and paired comparisons of indexes."""
