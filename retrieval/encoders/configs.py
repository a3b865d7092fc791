"""The named encoders: one TOML file each in configs/encoders/, shipped inside the wheel too."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from retrieval.errors import EncoderError

_PACKAGE = Path(__file__).resolve().parents[1]
CONFIGS = next(f for f in (_PACKAGE / "configs", _PACKAGE.parent / "configs") if f.is_dir())


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """What configs/encoders/<name>.toml says of an encoder. What nobody has confirmed is None or "unknown".

    `source` is whatever `--encoder` takes. `size_mb` is what a download fetches. `activation` (gelu or quick_gelu) is
    for weights that do not say their own, `pooling` (cls or mean) for text encoders. `weights_in` is the hub repository
    of an open_clip tag's weights, so that the cache can be looked into without importing open_clip. `preprocessing` is
    how images are prepared for an index: fast, or exact where a model minds a grey level; None means fast.
    """

    name: str
    source: str
    dim: int | None = None
    context: int | None = None
    size_mb: int | None = None
    licence: str = "unknown"
    about: str = ""
    activation: str | None = None
    pooling: str | None = None
    weights_in: str | None = None
    preprocessing: str | None = None

    @property
    def size(self) -> str:
        return "unknown size" if self.size_mb is None else f"{self.size_mb} MB"


ALLOWED = {"activation": ("gelu", "quick_gelu"), "pooling": ("cls", "mean"), "preprocessing": ("fast", "exact")}


def encoder_names() -> list[str]:
    """The named encoders: those shipped, and the files of the folder that RETRIEVAL_CONFIGS names."""
    return sorted(_encoder_files())


def encoder_config(name: str) -> EncoderConfig:
    """Raises EncoderError where the file is not TOML, has a key that is not known or a value that makes no sense."""
    path = _encoder_files()[name]
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EncoderError(f"{path}: cannot be read as TOML ({error}); mend the file") from error
    known = {item.name: str(item.type) for item in fields(EncoderConfig) if item.name != "name"}
    for key, value in values.items():
        if key not in known:
            raise EncoderError(f"{path}: {key} is no key of an encoder; use {', '.join(known)}")
        number = known[key].startswith("int")
        fits = type(value) is int and value > 0 if number else isinstance(value, str)
        if not fits:
            what = "a whole number above 0" if number else "text in quotes"
            raise EncoderError(f"{path}: {key} is {value!r}; give {what}, or leave it out where it is not known")
        if key in ALLOWED and value not in ALLOWED[key]:
            raise EncoderError(f"{path}: {key} is {value!r}; use one of {', '.join(ALLOWED[key])}")
    if not values.get("source"):
        raise EncoderError(f"{path}: source is missing; say where the model is, as --encoder takes it")
    if not values["source"].startswith(("hf-hub:", "open_clip:")):
        values["source"] = str((path.parent / Path(values["source"]).expanduser()).resolve())
    return EncoderConfig(name, **values)


def _encoder_files() -> dict[str, Path]:
    """Raises EncoderError where a file of the user's has the name of a shipped encoder: a name means one thing."""
    files = {path.stem: path for path in (CONFIGS / "encoders").glob("*.toml")}
    own = os.environ.get("RETRIEVAL_CONFIGS")
    if own:
        if not Path(own).expanduser().is_dir():
            raise EncoderError(f"{own}: RETRIEVAL_CONFIGS names no folder; unset it or make the folder")
        for path in Path(own).expanduser().glob("*.toml"):
            if path.stem in files or path.stem == "starter":
                raise EncoderError(f"{path}: {path.stem} is the name of an encoder that there is already; rename it")
            files[path.stem] = path
    return files
