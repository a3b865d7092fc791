"""Inner parts of open_clip and timm, which their next versions may move: the one place that names them.

A part that only makes encoding faster is a class without instances where it is missing, so that nothing is taken for it
and the slower way is gone. A part that loading needs is asked for when it is needed, and its absence is one sentence.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import version
from typing import Any

from retrieval.errors import EncoderError


class Missing:
    """Stands for a class that an installed version lacks; nothing is an instance of it."""


def optional_class(module: str, name: str) -> type[Any]:
    """A class of another package, or `Missing`."""
    try:
        found = getattr(import_module(module), name, Missing)
    except ImportError:
        return Missing
    return found if isinstance(found, type) else Missing


@cache
def needed(module: str, name: str) -> Any:
    """A function or class of another package. Raises EncoderError where the installed version lacks it."""
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError):
        package = {"open_clip": "open_clip_torch"}.get(module.partition(".")[0], module.partition(".")[0])
        raise EncoderError(
            f"{package} {version(package)} is installed, which has no {module}.{name}; install the version that "
            "retrieval asks for: pip install --upgrade retrieval"
        ) from None


ResidualAttentionBlock = optional_class("open_clip.transformer", "ResidualAttentionBlock")
Bottleneck = optional_class("open_clip.modified_resnet", "Bottleneck")
ModifiedResNet = optional_class("open_clip.modified_resnet", "ModifiedResNet")
ConvNormAct = optional_class("timm.layers", "ConvNormAct")
