"""A map of a collection: images and captions in the plane, as one page that opens offline (extra `retrieval[map]`)."""

from retrieval.map.document import Map, draw_map

__all__ = ["Map", "draw_map"]
