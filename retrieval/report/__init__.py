"""Evaluation in depth: what stands behind a report's numbers, other indexes beside it, and a page that shows both."""
