"""Cross-modal figure search: build an index from figures and captions, ask it both ways, measure its recall."""

__version__ = "0.1.0"
