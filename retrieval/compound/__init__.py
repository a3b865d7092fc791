"""Figures of several panels: a caption to the captions of its panels, an image to the boxes of its panels."""

from retrieval.compound.captions import SubCaption, split_caption
from retrieval.compound.gutters import Box, split_panels

__all__ = ["Box", "SubCaption", "split_caption", "split_panels"]
