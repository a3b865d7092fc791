"""Files of weights are read without running anything in them; what cannot be read is refused with the way out."""

from __future__ import annotations

import json
import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from retrieval.encoders.assemble import Unset
from retrieval.encoders.layouts.openai import read_openai
from retrieval.encoders.weights import digest, fill_model, find_weights, read_weights
from retrieval.errors import EncoderError
from tests import openai_clip

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2])}


class Evil:
    """Its pickle makes a file when it is loaded by whoever trusts it."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.made}",)


def same(weights: dict[str, torch.Tensor], expected: dict[str, torch.Tensor] = TENSORS) -> bool:
    return weights.keys() == expected.keys() and all(torch.equal(weights[key], expected[key]) for key in expected)


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model", "model_state_dict"])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin"])
def test_checkpoints_are_unwrapped(wrapper: str | None, prefix: str, suffix: str, tmp_path: Path) -> None:
    weights = {f"{prefix}{name}": value for name, value in TENSORS.items()}
    content = weights if wrapper is None else {"epoch": 3, "best": 0.5, wrapper: weights, "optimizer": {"state": {}}}
    torch.save(content, tmp_path / f"file{suffix}")
    assert same(read_weights(tmp_path / f"file{suffix}"))


def test_module_stays_where_not_every_name_begins_with_it(tmp_path: Path) -> None:
    weights = {"module.a": torch.zeros(1), "b": torch.zeros(1)}
    torch.save(weights, tmp_path / "file.pt")
    assert read_weights(tmp_path / "file.pt").keys() == weights.keys()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_are_read_as_float32_and_counts_stay_counts(dtype: torch.dtype, tmp_path: Path) -> None:
    given = {name: value.to(dtype) if value.is_floating_point() else value for name, value in TENSORS.items()}
    torch.save(given, tmp_path / "file.pt")
    save_file(given, tmp_path / "file.safetensors")
    for name in ("file.pt", "file.safetensors"):
        weights = read_weights(tmp_path / name)
        assert same(weights)
        assert (weights["a.weight"].dtype, weights["b"].dtype) == (torch.float32, torch.int64)


def test_files_of_torch_before_2020_are_read(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert same(read_weights(tmp_path / "old.pth"))


def test_shards_are_put_together_and_a_missing_one_is_named(tmp_path: Path) -> None:
    for number, name in enumerate(TENSORS):
        save_file({name: TENSORS[name]}, tmp_path / f"model-{number}.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a.weight": "model-0.safetensors", "b": "model-1.safetensors"}}))
    assert same(read_weights(index))
    (tmp_path / "model-1.safetensors").unlink()
    with pytest.raises(EncoderError, match=r"model-1\.safetensors: no such file of weights"):
        read_weights(index)
    index.write_text("[]")
    with pytest.raises(EncoderError, match="not an index of weights"):
        read_weights(index)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_would_run_code_is_refused_and_runs_none(zipped: bool, tmp_path: Path) -> None:
    content = {"state_dict": TENSORS, "extra": Evil(tmp_path / "made")}
    torch.save(content, tmp_path / "evil.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(EncoderError, match=r"would run code of its author \(it asks for posix\.system\); convert it"):
        read_weights(tmp_path / "evil.pth")
    assert not (tmp_path / "made").exists()


def test_a_pickle_of_a_newer_protocol_is_refused_without_noise(tmp_path: Path) -> None:
    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"state_dict": Evil(tmp_path / "made")}, protocol=4))
    with pytest.raises(EncoderError, match="a pickle of a newer protocol, which cannot be read without the risk"):
        read_weights(tmp_path / "evil.pth")
    assert not (tmp_path / "made").exists()


def test_a_checkpoint_with_the_trainers_settings_names_what_it_asks_for(tmp_path: Path) -> None:
    import argparse

    torch.save({"state_dict": TENSORS, "args": argparse.Namespace(lr=1)}, tmp_path / "trained.pth")
    with pytest.raises(EncoderError, match=r"it asks for argparse\.Namespace\); convert it to safetensors"):
        read_weights(tmp_path / "trained.pth")


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "old.pth"])
@pytest.mark.parametrize("damage", ["cut", "empty", "garbage", "text"])
def test_a_damaged_file_is_refused_in_one_sentence(name: str, damage: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "w.safetensors":
        save_file(TENSORS, path)
    else:
        torch.save(TENSORS, path, _use_new_zipfile_serialization=name == "w.pth")
    whole = path.read_bytes()
    path.write_bytes(
        {"cut": whole[:-40], "empty": b"", "garbage": bytes(range(256)), "text": b"version https://"}[damage]
    )
    with pytest.raises(EncoderError, match=r"damaged, incomplete or not a file of weights; fetch it again") as error:
        read_weights(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 1}, {"state_dict": {"a": "text"}}, torch.zeros(3)], ids=str)
def test_a_file_without_named_tensors_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "file.pt")
    with pytest.raises(EncoderError, match="holds no weights by name"):
        read_weights(tmp_path / "file.pt")


class Tower(nn.Module):
    """As much of a model as TorchScript needs, with OpenAI's three numbers among its buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Linear(2, 2)
        for name in ("input_resolution", "context_length", "vocab_size"):
            self.register_buffer(name, torch.tensor(7))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.proj(x)


def archive(path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch wants nobody to use TorchScript any more
        torch.jit.script(Tower().half()).save(str(path))
    return path


def test_a_torchscript_archive_is_read_only_where_its_author_is_trusted(tmp_path: Path) -> None:
    path = archive(tmp_path / "ViT-B-32.pt")
    with pytest.raises(EncoderError, match=r"may run code of its author; allow that with --trust-torchscript"):
        read_weights(path)
    weights = read_weights(path, trust_torchscript=True)
    assert {name: value.dtype for name, value in weights.items()} == {
        "proj.weight": torch.float32,
        "proj.bias": torch.float32,
    }
    with pytest.raises(EncoderError, match="--trust-torchscript"):
        read_openai(path)
    with pytest.raises(EncoderError, match=r"not weights in OpenAI's naming .* found proj\.bias, proj\.weight"):
        read_openai(path, trust_torchscript=True)


def test_openais_archive_gives_the_model_of_the_same_weights(tmp_path: Path) -> None:
    weights = openai_clip.random_weights(width=64, layers=1, size=16, patch=8, text_width=64, dim=8, context=8)
    weights["token_embedding.weight"] = weights["token_embedding.weight"][:50].clone()

    holder = nn.Module()
    for name, value in weights.items():
        *path, last = name.split(".")
        module = holder
        for part in path:
            if not hasattr(module, part):
                module.add_module(part, nn.Module())
            module = module.get_submodule(part)
        module.register_buffer(last, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(holder).save(str(tmp_path / "openai.pt"))
    found = read_openai(tmp_path / "openai.pt", trust_torchscript=True)
    torch.save(weights, tmp_path / "same.pth")
    assert found.model_cfg == read_openai(tmp_path / "same.pth").model_cfg
    assert found.model_cfg["vision_cfg"]["image_size"] == 16


def test_the_usual_name_wins_and_of_several_unusual_ones_none_is_guessed(tmp_path: Path) -> None:
    names = ("model.safetensors", "pytorch_model.bin")
    with pytest.raises(EncoderError, match=r"no weights there \(model\.safetensors or pytorch_model\.bin\)"):
        find_weights(tmp_path, names)
    (tmp_path / "epoch_32.pt").touch()
    assert find_weights(tmp_path, names).name == "epoch_32.pt"
    (tmp_path / "epoch_31.pt").touch()
    with pytest.raises(EncoderError, match=r"several files of weights \(epoch_31\.pt, epoch_32\.pt\); rename"):
        find_weights(tmp_path, names)
    (tmp_path / "pytorch_model.bin").touch()
    assert find_weights(tmp_path, names).name == "pytorch_model.bin"


def test_fill_sets_every_weight_or_none() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before = digest(model)
    full = {name: torch.ones_like(value) for name, value in model.state_dict().items()}
    for name in full:
        if not name.endswith("num_batches_tracked"):
            with pytest.raises(ValueError, match=f"1 missing, first {name}"):
                fill_model(model, {other: value for other, value in full.items() if other != name})
    with pytest.raises(ValueError, match="1 unknown, first new"):
        fill_model(model, full | {"new": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"1 of another shape, first 0\.bias \(3,\) instead of \(2,\)"):
        fill_model(model, full | {"0.bias": torch.zeros(3)})
    assert digest(model) == before
    counted = {name: value for name, value in full.items() if name != "1.num_batches_tracked"}
    fill_model(model, counted)
    assert all(torch.equal(value, torch.ones_like(value)) for value in model.parameters())


def test_what_is_left_unset_is_only_what_is_random() -> None:
    """Buffers and constants are computed while a model is made, and must be right although no weights set them."""
    from transformers import BertConfig, BertModel

    from tests.bundles import BERT

    with Unset():
        model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.BatchNorm1d(3), nn.MultiheadAttention(4, 2))
        bert = BertModel(BertConfig(**BERT), add_pooling_layer=False)
        torch.manual_seed(0)
        plain = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(plain, torch.rand(3))
    assert torch.equal(model[1].weight, torch.ones(3))
    assert torch.equal(model[2].running_var, torch.ones(3))
    ready = BertModel(BertConfig(**BERT), add_pooling_layer=False)
    for name, buffer in ready.named_buffers():
        assert torch.equal(dict(bert.named_buffers())[name], buffer)
