"""Any accepted encoder into one folder that needs nothing else: converted, checked and moved into place at once."""

from __future__ import annotations

import re
from pathlib import Path

from retrieval.encoders.configs import encoder_names
from retrieval.encoders.resolve import EncoderSource, imported, is_path, read_parts, resolve
from retrieval.errors import EncoderError
from retrieval.files import replacing_folder, write_json

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def import_encoder(source: str, name: str, *, trust_torchscript: bool = False) -> tuple[Path, tuple[str, ...]]:
    """Write the encoder `source` as `name`, for `load_encoder(name)`; gives its folder and what a person should know.

    A `name` with a path separator is the folder to write; any other is written into RETRIEVAL_HOME. The vectors and the
    fingerprint are those of the source. Raises EncoderError as `load_encoder` does, and where the name is taken.
    """
    target = _target(name)
    found = resolve(source)
    if found.kind == "text-only" and found.path is not None:
        return target, _write_text_only(found, target)
    from retrieval.encoders.assemble import write_bundle

    parts = read_parts(found, trust_torchscript=trust_torchscript)
    write_bundle(parts, target)
    return target, parts.notes


def _target(name: str) -> Path:
    if is_path(name):
        target = Path(name).expanduser()
    elif not NAME.fullmatch(name):
        raise EncoderError(f"{name}: not a name; use letters, digits, dots and dashes, or a path such as ./{name}")
    elif name in ("starter", *encoder_names()):
        raise EncoderError(f"{name}: is the name of an encoder that there is already; choose another, or a path")
    else:
        target = imported(name)
    if target.exists():
        raise EncoderError(f"{target}: is there already; choose another name, or remove it first")
    return target


def _write_text_only(source: EncoderSource, target: Path) -> tuple[str, ...]:
    """config.json, weights and tokenizer, with the pooling in the file that sentence-transformers keeps it in."""
    from safetensors.torch import save_file

    from retrieval.encoders.assemble import tokenizer_files
    from retrieval.encoders.layouts.text_only import TextOnlyEncoder

    assert source.path is not None
    encoder = TextOnlyEncoder(source.path, name=str(source.path), pooling=source.pooling, device="cpu")
    copied = [source.path / "config.json", *tokenizer_files(source.path), source.path / "sentence_bert_config.json"]
    with replacing_folder(target) as folder:
        for path in copied:
            if path.is_file():
                (folder / path.name).write_bytes(path.read_bytes())
        (folder / "1_Pooling").mkdir()
        modes = {"cls": "pooling_mode_cls_token", "mean": "pooling_mode_mean_tokens"}
        write_json(folder / "1_Pooling" / "config.json", {mode: key == encoder.pooling for key, mode in modes.items()})
        weights = {name: value.contiguous() for name, value in encoder._model.state_dict().items()}
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return (f"pooling {encoder.pooling}",)
