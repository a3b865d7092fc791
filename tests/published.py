"""One tiny encoder of each layout that authors publish."""

from __future__ import annotations

from pathlib import Path

from tests import openai_clip
from tests.bundles import bert_bundle
from tests.layouts import clip_model, masked_lm, openai_file


def publish(root: Path) -> dict[str, Path]:
    """Layout → its folder, or its file for a state dict. Tests that change one copy it first."""
    bert_bundle(root / "bundle")
    clip_model(root / "clip-model")
    masked_lm(root / "text-only")
    (root / "weights").mkdir()
    weights = openai_clip.random_weights(width=64, layers=1, size=32, patch=8, text_width=64, dim=24)
    openai_file(root / "weights" / "PubMedCLIP_ViT32.pth", weights)
    return {
        "bundle": root / "bundle",
        "clip-model": root / "clip-model",
        "text-only": root / "text-only",
        "state-dict": root / "weights" / "PubMedCLIP_ViT32.pth",
    }
