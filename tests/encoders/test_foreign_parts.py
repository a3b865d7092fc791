"""Another version of open_clip or timm may have moved its inner parts: encoding gets slower, vectors stay."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from retrieval.encoders import load_encoder
from retrieval.encoders.clip_encoder import ClipEncoder, encode_places
from retrieval.encoders.foreign_parts import Missing, needed, optional_class
from retrieval.errors import EncoderError

TEXTS = ["axial CT of the abdomen", "a blot", "haematoxylin and eosin stain of a kidney, magnification 40"]
ENCODE_WITHOUT = f"""
import sys
import numpy as np
import retrieval.encoders.foreign_parts as parts
for name in ("ResidualAttentionBlock", "Bottleneck", "ModifiedResNet", "ConvNormAct"):
    setattr(parts, name, parts.Missing)
from retrieval.encoders import clip_encoder, load_encoder
clip_encoder.PLACES += ("moved",)
encoder = load_encoder("starter", device="cpu")
assert not encoder._looks_back_only
picture = np.arange(40 * 50 * 3, dtype=np.uint8).reshape(40, 50, 3)
sys.stdout.buffer.write(np.concatenate([encoder.encode_texts({TEXTS!r}), encoder.encode_images(picture)]).tobytes())
"""


@pytest.mark.slow
def test_vectors_are_the_same_where_the_parts_are_missing() -> None:
    encoder = load_encoder("starter", device="cpu")
    picture = np.arange(40 * 50 * 3, dtype=np.uint8).reshape(40, 50, 3)
    here = np.concatenate([encoder.encode_texts(TEXTS), encoder.encode_images(picture)])
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", ENCODE_WITHOUT], capture_output=True, check=True)
    there = np.frombuffer(done.stdout, np.float32).reshape(here.shape)
    np.testing.assert_allclose(there, here, atol=1e-5)


def test_a_part_that_is_missing_has_no_instances() -> None:
    assert optional_class("open_clip.transformer", "MovedBlock") is Missing
    assert optional_class("open_clip.moved", "Block") is Missing
    assert optional_class("open_clip.transformer", "text_global_pool") is Missing  # a function


def test_a_part_that_loading_needs_is_missed_in_one_sentence() -> None:
    with pytest.raises(EncoderError, match=r"open_clip_torch \S+ is installed, which has no open_clip.convert.moved; "):
        needed("open_clip.convert", "moved")


@pytest.mark.parametrize("pool", ["argmax", "eos"])
def test_places_end_where_open_clip_says(pool: str) -> None:
    import open_clip
    import torch

    text = {
        "context_length": 8,
        "vocab_size": 64,
        "width": 32,
        "heads": 2,
        "layers": 2,
        "pool_type": pool,
        "eos_id": 40,
    }
    vision = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
    torch.manual_seed(0)
    model = open_clip.CLIP(embed_dim=16, vision_cfg=vision, text_cfg=text).eval()  # type: ignore[arg-type]
    ids = torch.tensor([[1, 5, 40, 0, 0, 0, 0, 0], [1, 6, 7, 8, 40, 40, 0, 0]])
    with torch.inference_mode():
        torch.testing.assert_close(encode_places(model, ids[:, :6]), model.encode_text(ids), rtol=1e-5, atol=1e-6)


def test_the_named_encoder_is_of_the_class_that_is_tested_here() -> None:
    assert isinstance(load_encoder("starter", device="cpu"), ClipEncoder)
