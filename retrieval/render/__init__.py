"""Hits to look at: HTML, and lines of a terminal. Captions and metadata are other people's, and treated as hostile."""
