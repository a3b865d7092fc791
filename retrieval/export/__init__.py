"""Figures and vectors out of an index, with attribution."""
