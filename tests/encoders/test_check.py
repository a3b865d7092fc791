"""The check passes what keeps the contract and fails each thing that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from retrieval.encoders import load_plain
from retrieval.encoders.check import Finding, check
from retrieval.encoders.precision import centred_cosines, measure, worth_trying
from retrieval.encoders.probes import captions, images
from retrieval.types import Tokens

CONTRACT = [
    "eval mode everywhere",
    "one dimension",
    "vectors of length 1",
    "the same twice",
    "alone as in a batch",
    "texts in any order",
    "padding trimmed as padding full",
    "finite on extremes",
    "different inputs, different vectors",
]
PRECISIONS = ["precision fp32", "precision bf16", "precision fp16", "precision for indexing"]


@pytest.fixture
def encoder(published: dict[str, Path]) -> Any:
    return load_plain(str(published["clip-model"]))


@pytest.fixture(autouse=True)
def few_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half precision is slow on a CPU, and a few probes show what many do."""
    monkeypatch.setattr("retrieval.encoders.probes.images", lambda count=6: images(min(count, 6)))
    monkeypatch.setattr("retrieval.encoders.probes.captions", lambda count=8: captions(min(count, 8)))


def failed(encoder: Any) -> list[str]:
    """Which parts of the contract an encoder fails."""
    return [finding.what for finding in islice(check(encoder), len(CONTRACT)) if finding.ok is False]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clip-model", "text-only", "state-dict"])
def test_a_sound_encoder_passes(kind: str, published: dict[str, Path]) -> None:
    encoder = load_plain(str(published[kind]))
    found = list(check(encoder))
    assert [finding.what for finding in found] == [*CONTRACT, *PRECISIONS]
    assert [finding.ok for finding in found] == [True] * len(CONTRACT) + [None] * len(PRECISIONS)
    assert found[-1].detail == "fp32 on cpu" or worth_trying(encoder.device)
    assert encoder.precision == "fp32"


def test_a_model_in_train_mode_fails(published: dict[str, Path]) -> None:
    encoder = load_plain(str(published["text-only"]))
    encoder._model.train()
    broken = failed(encoder)
    assert broken[0] == "eval mode everywhere"
    assert "the same twice" in broken


def replaced(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Any], None]:
    """Puts a change behind a method of an encoder."""

    def spoil(encoder: Any) -> None:
        honest = getattr(encoder, name)
        setattr(encoder, name, lambda batch: change(honest(batch)))

    return spoil


def unmasked(encoder: Any) -> None:
    """As if the padding that is trimmed had been seen by the model: vectors depend on the longest of the batch."""
    honest = encoder.encode_texts

    def encode_texts(tokens: Tokens) -> Any:
        vectors = honest(tokens) + 0.001 * tokens.lengths.max()
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    encoder.encode_texts = encode_texts


def by_place(vectors: np.ndarray) -> np.ndarray:
    """A row's vector depends on where in the batch it stands, as one tokenizer's off-by-one would have it."""
    turned = np.stack([np.roll(row, place) for place, row in enumerate(vectors)])
    return np.asarray(turned, dtype=np.float32)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (replaced("encode_images", lambda v: v[:, :8]), "one dimension"),
        (replaced("encode_images", lambda v: v * 2), "vectors of length 1"),
        (replaced("encode_images", lambda v: v / np.linalg.norm(v)), "alone as in a batch"),
        (replaced("encode_texts", by_place), "texts in any order"),
        (unmasked, "padding trimmed as padding full"),
        (replaced("encode_images", lambda v: np.full_like(v, np.nan)), "finite on extremes"),
        (replaced("encode_texts", lambda v: np.repeat(v[:1], len(v), axis=0)), "different inputs, different vectors"),
    ],
)
def test_what_breaks_the_contract_fails_by_name(spoil: Callable[[Any], None], what: str, encoder: Any) -> None:
    spoil(encoder)
    assert what in failed(encoder)


def test_a_model_that_cannot_run_is_a_finding_and_not_a_traceback(encoder: Any) -> None:
    def encode_images(_: object) -> None:
        raise RuntimeError("shapes\ndo not fit")

    encoder.encode_images = encode_images
    assert list(check(encoder))[1:] == [Finding("probes", False, "RuntimeError: shapes do not fit")]


def lossy(encoder: Any) -> None:
    """Half precision that throws a tenth of the signal away."""
    honest = encoder.encode_texts

    def encode_texts(tokens: Tokens) -> Any:
        vectors = honest(tokens)
        if encoder.precision != "fp32":
            vectors = vectors + np.random.default_rng(0).normal(0, 0.1, vectors.shape).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    encoder.encode_texts = encode_texts


def test_a_precision_that_loses_fails_where_it_is_asked_for_and_is_not_chosen(
    encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lossy(encoder)
    assert [finding.what for finding in check(encoder, "bf16") if finding.ok is False] == ["precision bf16"]
    monkeypatch.setattr("retrieval.encoders.precision.worth_trying", lambda _: ("fp16", "bf16"))
    last = list(check(encoder))[-1]
    assert last == Finding("precision for indexing", None, "fp32 on cpu")


def test_fidelity_is_measured_against_fp32_and_leaves_the_precision_alone(encoder: Any) -> None:
    encoder.precision = "bf16"
    exact, half = measure(encoder, ("fp32", "bf16"))
    assert (exact.images, exact.texts) == (pytest.approx(1), pytest.approx(1))
    assert half.images is not None
    assert 0.9 < half.images < 1
    assert encoder.precision == "bf16"


@pytest.mark.parametrize(
    ("amx", "avx", "expected"), [(True, True, ("bf16",)), (False, True, ("bf16",)), (False, False, ())]
)
def test_a_gpu_tries_half_precisions_and_a_cpu_only_where_it_has_them(
    monkeypatch: pytest.MonkeyPatch, amx: bool, avx: bool, expected: tuple[str, ...]
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx, raising=False)
    assert worth_trying(torch.device("cpu")) == expected
    assert worth_trying(torch.device("cuda")) == ("fp16", "bf16")
    assert worth_trying(torch.device("mps")) == ()


def test_the_part_that_all_vectors_share_hides_nothing() -> None:
    rng = np.random.default_rng(0)
    common = np.full((20, 8), 10.0)
    own = rng.normal(size=(20, 8))
    noisy = own + rng.normal(size=(20, 8)) * 0.5
    plain = np.sum((common + own) * (common + noisy), axis=1) / (
        np.linalg.norm(common + own, axis=1) * np.linalg.norm(common + noisy, axis=1)
    )
    assert plain.min() > 0.99
    centred = centred_cosines((common + noisy).astype(np.float32), (common + own).astype(np.float32))
    assert centred.min() < 0.95
    np.testing.assert_allclose(centred_cosines(own.astype(np.float32), own.astype(np.float32)), 1)
    assert (centred_cosines(np.full((3, 2), np.nan, np.float32), own[:3, :2].astype(np.float32)) == 0).all()
    assert (centred_cosines(np.ones((3, 2), np.float32), np.ones((3, 2), np.float32)) == 1).all()


def test_probes_are_the_same_every_time_and_differ_from_each_other() -> None:
    first, second = images(), images()
    assert [a.tobytes() for a in first] == [b.tobytes() for b in second]
    assert len({a.tobytes() for a in first}) == len(first) == 32
    assert {a.mode for a in first} == {"RGB"}
    assert captions() == captions()
    assert len(set(captions())) == 64
