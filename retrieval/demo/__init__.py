"""The project's own demo collection: scientific-looking figures with captions, drawn from numbers."""
