"""Bytes to pictures: decoding and its limits, thumbnails, near-duplicates."""
