"""Files of weights: read without running anything they contain, and put into a model whole or not at all."""

from __future__ import annotations

import hashlib
import re
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from retrieval.encoders.detect_layout import STATE_DICTS
from retrieval.errors import EncoderError
from retrieval.files import read_json

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_NUMBERS = ("input_resolution", "context_length", "vocab_size")  # OpenAI's archives keep these among the weights


def read_weights(path: Path, *, trust_torchscript: bool = False) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, a shard index (*.index.json) or a torch file, by name, floats in float32.

    A training checkpoint is unwrapped (`state_dict`, `model_state_dict`, `model`), and the `module.` that data-parallel
    training puts before every name is taken off. Nothing in the file is executed: a pickle that needs code is refused,
    and so is a TorchScript archive unless `trust_torchscript`. Raises EncoderError, also where the file is damaged.
    """
    if path.name.endswith(".index.json"):
        return _sharded(path)
    if not path.is_file():
        raise EncoderError(f"{path}: no such file of weights")
    try:
        content = _content(path, trust_torchscript)
    except EncoderError:
        raise
    except Exception as error:  # torch, pickle and safetensors raise a dozen types for a file that is not whole
        asked = re.search(r"GLOBAL (\S+)", str(error))
        if asked:
            raise EncoderError(
                f"{path}: loading this pickle would run code of its author (it asks for {asked.group(1)}); "
                "convert it to safetensors where it came from"
            ) from error
        if "Unsupported operand" in str(error) and _newer_pickle(path):
            raise EncoderError(
                f"{path}: a pickle of a newer protocol, which cannot be read without the risk of running code in it; "
                "convert it to safetensors where it came from"
            ) from error
        raise EncoderError(f"{path}: damaged, incomplete or not a file of weights; fetch it again") from error
    return _named_tensors(path, content)


def find_weights(folder: Path, names: Sequence[str]) -> Path:
    """The weights in a published folder: the first of `names` that is there, or else the only file of weights.

    Raises EncoderError where there is none, or several without a usual name.
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
    others = sorted(path for path in folder.glob("*") if path.suffix in STATE_DICTS and path.is_file())
    if not others:
        raise EncoderError(f"{folder}: no weights there ({names[0]} or {names[-1].removesuffix('.index.json')})")
    if len(others) > 1:
        found = ", ".join(path.name for path in others)
        raise EncoderError(f"{folder}: several files of weights ({found}); rename the right one to {names[0]}")
    return others[0]


def fill_model(model: torch.nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy weights into a model; raises ValueError, naming the first, where one is missing, unknown or misshapen.

    A count of training batches (`num_batches_tracked`) may be missing: it changes nothing once training is over.
    """
    own = model.state_dict()
    missing = [name for name in own if name not in weights and not name.endswith("num_batches_tracked")]
    unknown = [name for name in weights if name not in own]
    shapes = {name: (tuple(weights[name].shape), tuple(own[name].shape)) for name in own if name in weights}
    differing = [f"{name} {there} instead of {here}" for name, (there, here) in shapes.items() if there != here]
    kinds = (("missing", missing), ("unknown", unknown), ("of another shape", differing))
    problems = [f"{len(names)} {kind}, first {names[0]}" for kind, names in kinds if names]
    if problems:
        raise ValueError("; ".join(problems))
    model.load_state_dict(weights)


def digest(model: torch.nn.Module) -> str:
    """Of the weights as they are used, so that a model is the same encoder whatever file it was read from."""
    sums = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        sums.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        sums.update(value.contiguous().reshape(-1).view(torch.uint8).numpy())
    return sums.hexdigest()


def _content(path: Path, trust_torchscript: bool) -> Any:
    if path.suffix == ".safetensors":
        return load_file(path)
    zipped = zipfile.is_zipfile(path)  # what torch has written since 2020; only that can be mapped into memory
    if zipped and _is_torchscript(path):
        if not trust_torchscript:
            raise EncoderError(
                f"{path}: a TorchScript archive, and loading it may run code of its author; allow that with "
                f"--trust-torchscript if you trust them (once: retrieval encoders import {path} NAME "
                "--trust-torchscript), or use the model's safetensors"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch wants nobody to use TorchScript any more
            return torch.jit.load(str(path), map_location="cpu").state_dict()  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a pickle's protocol: what cannot be read is refused anyway
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)


def _newer_pickle(path: Path) -> bool:
    """Whether it holds a pickle of protocol 3 or later; torch writes protocol 2."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith("data.pkl")]
            start = archive.read(names[0])[:2] if names else b""
    else:
        with open(path, "rb") as file:
            start = file.read(2)
    return start[:1] == b"\x80" and start[1:] > b"\x02"


def _is_torchscript(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _named_tensors(path: Path, content: Any) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping) or not any(isinstance(value, Tensor) for value in content.values()):
        raise EncoderError(f"{path}: holds no weights by name, nor {', '.join(_WRAPPERS)} with weights in it")
    weights = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if all(name.startswith("module.") for name in weights):
        weights = {name.removeprefix("module."): value for name, value in weights.items()}
    return {
        name: value.float() if value.is_floating_point() else value
        for name, value in weights.items()
        if name not in _NUMBERS
    }


def _sharded(index: Path) -> dict[str, Tensor]:
    """The union of the files that an index lists (`weight_map`: name of a weight → file beside the index)."""
    try:
        files = sorted(set(read_json(index)["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EncoderError(f"{index}: not an index of weights; fetch the file again") from error
    weights: dict[str, Tensor] = {}
    for name in files:
        weights |= read_weights(index.parent / Path(name).name)
    return weights
