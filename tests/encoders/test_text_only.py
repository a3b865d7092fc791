"""Text-only encoders give the vectors of AutoModel and their pooling; weights that are not there are never made up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModel, AutoTokenizer, BertModel

from retrieval.encoders.layouts.text_only import TextOnlyEncoder
from retrieval.errors import EncoderError
from retrieval.types import Vectors
from tests.bundles import BERT
from tests.layouts import edit_json, masked_lm

TEXTS = ["axial CT of the lung", "", "stained liver tissue shows red cells in the image", "the cell " * 100]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bert") / "biomedbert"
    masked_lm(path)
    return path


@pytest.fixture
def own(tmp_path: Path) -> Path:
    masked_lm(tmp_path / "own")
    return tmp_path / "own"


def encoded(folder: Path, texts: list[str] = TEXTS, **options: str) -> Vectors:
    encoder = TextOnlyEncoder(folder, name="bert", **options)
    return encoder.encode_texts(encoder.tokenize(texts))


def by_transformers(folder: Path, pooling: str) -> Vectors:
    model = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    tokens = AutoTokenizer.from_pretrained(folder)(
        TEXTS, padding=True, truncation=True, max_length=64, return_tensors="pt"
    )
    with torch.inference_mode():
        states = model(**tokens).last_hidden_state
    mask = tokens.attention_mask[:, :, None]
    pooled = states[:, 0] if pooling == "cls" else (states * mask).sum(1) / mask.sum(1)
    return torch.nn.functional.normalize(pooled, dim=-1).numpy()


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_are_those_of_automodel_with_the_pooling(folder: Path, pooling: str) -> None:
    np.testing.assert_allclose(encoded(folder, pooling=pooling), by_transformers(folder, pooling), atol=1e-5)


def test_without_word_of_the_pooling_it_is_the_mean(folder: Path) -> None:
    np.testing.assert_array_equal(encoded(folder), encoded(folder, pooling="mean"))
    assert np.abs(encoded(folder) - encoded(folder, pooling="cls")).max() > 0.01


@pytest.mark.parametrize(("key", "pooling"), [("cls_token", "cls"), ("mean_tokens", "mean")])
def test_the_pooling_that_sentence_transformers_published_is_followed(own: Path, key: str, pooling: str) -> None:
    (own / "1_Pooling").mkdir()
    modes = {f"pooling_mode_{name}": name == key for name in ("cls_token", "mean_tokens", "max_tokens")}
    (own / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 32} | modes))
    (own / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 20}))
    encoder = TextOnlyEncoder(own, name="own")
    assert (encoder.pooling, encoder.context_length) == (pooling, 20)
    edit_json(own / "1_Pooling" / "config.json", pooling_mode_max_tokens=True)
    with pytest.raises(EncoderError, match=r"max_tokens is not supported; only cls or mean"):
        TextOnlyEncoder(own, name="own")
    assert TextOnlyEncoder(own, name="own", pooling="cls").pooling == "cls"


def test_a_dense_layer_after_the_pooling_is_refused_rather_than_left_out(own: Path) -> None:
    (own / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.models.Dense"}]))
    with pytest.raises(EncoderError, match="dense layer after pooling"):
        TextOnlyEncoder(own, name="own")


def test_any_batch_gives_the_same_vectors_and_nothing_gives_none(folder: Path) -> None:
    encoder = TextOnlyEncoder(folder, name="bert")
    together = encoder.encode_texts(encoder.tokenize(TEXTS))
    alone = np.concatenate([encoder.encode_texts(encoder.tokenize([text])) for text in TEXTS])
    np.testing.assert_allclose(alone, together, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    assert encoder.encode_texts(encoder.tokenize([])).shape == (0, encoder.dim)


def test_captions_are_cut_at_the_models_last_position_and_it_is_known(folder: Path) -> None:
    tokens = TextOnlyEncoder(folder, name="bert").tokenize([*TEXTS, "the " * 62])
    assert tokens.ids.shape == (5, 64)
    assert tokens.lengths.tolist() == [7, 2, 12, 64, 64]
    assert tokens.truncated.tolist() == [False, False, False, True, False]


def test_roberta_counts_its_positions_from_behind_the_padding(tmp_path: Path) -> None:
    from transformers import RobertaConfig, RobertaModel

    masked_lm(tmp_path / "roberta")
    sizes = {key: value for key, value in BERT.items() if key != "model_type"} | {"pad_token_id": 1}
    (tmp_path / "roberta" / "pytorch_model.bin").unlink()
    RobertaModel(RobertaConfig(**sizes), add_pooling_layer=False).save_pretrained(tmp_path / "roberta")
    edit_json(tmp_path / "roberta" / "tokenizer_config.json", tokenizer_class="BertTokenizer")
    encoder = TextOnlyEncoder(tmp_path / "roberta", name="roberta")
    assert encoder.context_length == 64 - 2
    assert np.isfinite(encoder.encode_texts(encoder.tokenize(TEXTS))).all()


def test_it_reads_captions_only_and_says_so(folder: Path) -> None:
    encoder = TextOnlyEncoder(folder, name="biomedbert-abstract")
    assert not encoder.reads_images
    for ask in (
        lambda: encoder.prepare(Image.new("RGB", (9, 9))),
        lambda: encoder.encode_images(np.zeros((1, 3, 9, 9), dtype=np.float32)),
        lambda: encoder.logit_scale,
    ):
        with pytest.raises(
            EncoderError, match="biomedbert-abstract: reads captions only; use an encoder with an image"
        ):
            ask()


def test_the_fingerprint_knows_weights_pooling_and_vocabulary_but_not_the_kind_of_file(own: Path) -> None:
    first = TextOnlyEncoder(own, name="a").fingerprint
    assert TextOnlyEncoder(own, name="b", pooling="mean").fingerprint == first
    assert TextOnlyEncoder(own, name="a", pooling="cls").fingerprint != first
    model = BertModel.from_pretrained(own, add_pooling_layer=False)
    (own / "pytorch_model.bin").unlink()
    model.save_pretrained(own)
    assert TextOnlyEncoder(own, name="a").fingerprint == first
    edit_json(own / "config.json", hidden_act="relu")
    changed = TextOnlyEncoder(own, name="a").fingerprint
    assert changed != first
    with open(own / "vocab.txt", "a", encoding="utf-8") as vocabulary:
        vocabulary.write("kidney\n")
    assert TextOnlyEncoder(own, name="a").fingerprint not in (first, changed)


def test_checkpoints_with_old_names_and_without_heads_are_the_same_model(folder: Path, own: Path) -> None:
    state = torch.load(own / "pytorch_model.bin", weights_only=True)
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in state.items()
    }
    torch.save(old | {"bert.embeddings.position_ids": torch.arange(64)[None]}, own / "pytorch_model.bin")
    np.testing.assert_array_equal(encoded(own), encoded(folder))
    bare = {name.removeprefix("bert."): value for name, value in state.items() if name.startswith("bert.")}
    torch.save(bare, own / "pytorch_model.bin")
    np.testing.assert_array_equal(encoded(own), encoded(folder))


def test_weights_that_are_missing_are_refused_rather_than_made_up(own: Path) -> None:
    state = torch.load(own / "pytorch_model.bin", weights_only=True)
    lost = state.pop("bert.encoder.layer.1.output.dense.weight")
    torch.save(state, own / "pytorch_model.bin")
    with pytest.raises(EncoderError, match=r"do not load .*1 missing, first encoder\.layer\.1\.output\.dense\.weight"):
        TextOnlyEncoder(own, name="own")
    torch.save(state | {"bert.encoder.layer.1.output.dense.weight": lost}, own / "pytorch_model.bin")
    edit_json(own / "config.json", num_hidden_layers=1)  # transformers would leave the second out, and say so in a log
    with pytest.raises(EncoderError, match=r"16 unknown, first encoder\.layer\.1\."):
        TextOnlyEncoder(own, name="own")
    (own / "pytorch_model.bin").unlink()
    with pytest.raises(EncoderError, match="no weights there"):
        TextOnlyEncoder(own, name="own")


def test_what_is_wrong_with_a_folder_is_said_in_one_sentence(own: Path) -> None:
    with pytest.raises(EncoderError, match="max: no such pooling; use one of cls, mean"):
        TextOnlyEncoder(own, name="own", pooling="max")
    (own / "config.json").write_text(json.dumps({"model_type": "t5"}))
    with pytest.raises(EncoderError, match="a t5 model is no text encoder"):
        TextOnlyEncoder(own, name="own")
    (own / "config.json").write_text("{}")
    with pytest.raises(EncoderError, match=r"config\.json is not that of a text encoder"):
        TextOnlyEncoder(own, name="own")
    (own / "vocab.txt").unlink()
    with pytest.raises(EncoderError, match="vocabulary is missing"):
        TextOnlyEncoder(own, name="own")
