"""What a name means: which encoder, in which layout, and where its files are."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import platformdirs

from retrieval.encoders import hub
from retrieval.encoders.configs import EncoderConfig, encoder_config, encoder_names
from retrieval.encoders.detect_layout import LOOKED_FOR, STATE_DICTS, Kind, recognise, state_dicts
from retrieval.errors import EncoderError

if TYPE_CHECKING:
    from retrieval.encoders.assemble import ModelParts

STARTER = Path(__file__).with_name("starter")
FORMS = "hf-hub:<owner>/<repository>, open_clip:<model>/<tag>, a folder or a state-dict file"


@dataclass(frozen=True, slots=True)
class EncoderSource:
    """An encoder found: its layout and its files.

    `path` is the folder or the state-dict file; a tag of open_clip's has `model` and `tag` instead, or `model` and the
    file of its weights. `activation` and `pooling` come from a named config and overrule what the files say;
    `preprocessing` is its wish for indexes, fast or exact.
    """

    kind: Kind | Literal["state-dict", "tag"]
    path: Path | None = None
    model: str = ""
    tag: str = ""
    activation: str | None = None
    pooling: str | None = None
    preprocessing: str | None = None


def resolve(name: str) -> EncoderSource:
    """What `name` means. A hub repository that is not cached is downloaded, saying so first.

    Accepted are `starter`, a named config, the name of an import, `hf-hub:<owner>/<repository>` (with `#<file>` for one
    state dict in it), `open_clip:<model>/<tag>` or `open_clip:<model>/<file of weights>`, a folder and a file. A word
    that is both a name and a folder here is the name; `./word` is the folder.
    Raises EncoderError where nothing is found under the name, or it cannot be had.
    """
    if name == "starter":
        return EncoderSource("bundle", STARTER)
    if name.startswith("hf-hub:"):
        return _on_hub(name)
    if name.startswith("open_clip:"):
        return _tag(name)
    path = Path(name).expanduser()
    if not name.strip():
        raise _unknown(name)
    if not is_path(name):
        if name in encoder_names():
            return _configured(encoder_config(name))
        if imported(name).is_dir():
            path = imported(name)
    if path.is_dir():
        return _folder(path, name)
    if path.is_file():
        return EncoderSource("state-dict", path)
    raise _unknown(name)


def read_parts(source: EncoderSource, *, trust_torchscript: bool = False) -> ModelParts:
    """The parts of a two-tower model, nothing loaded yet. Raises EncoderError where files are missing or damaged."""
    match source:
        case EncoderSource("bundle", Path() as path):
            from retrieval.encoders.layouts.open_clip_folder import read_openclip

            return read_openclip(path)
        case EncoderSource("clip-model", Path() as path):
            from retrieval.encoders.layouts.hf_clip import read_clip_model

            return read_clip_model(path, activation=source.activation)
        case EncoderSource("state-dict", Path() as path):
            from retrieval.encoders.layouts.openai import read_openai

            return read_openai(path, trust_torchscript=trust_torchscript, activation=source.activation)
        case EncoderSource("tag"):
            from retrieval.encoders.layouts.open_clip_tags import read_tag

            return read_tag(source.model, source.tag, source.path, trust_torchscript=trust_torchscript)
    raise EncoderError(f"{source.path}: reads captions only, so it has no two towers; use it for caption search")


def is_path(name: str) -> bool:
    return "/" in name or os.sep in name or name.startswith("~")


def imported(name: str) -> Path:
    """The folder of an import of this name, there or not: in RETRIEVAL_HOME, by default the user's folder for data.

    That is ~/.local/share/retrieval on Linux, where earlier versions put imports on every system: those are found.
    """
    home, *earlier = (folder / name for folder in _import_folders())
    return next((folder for folder in (home, *earlier) if name and folder.is_dir()), home)


def imported_names() -> list[str]:
    """List the names of all imports."""
    paths = [path for folder in _import_folders() if folder.is_dir() for path in folder.iterdir()]
    return sorted({path.name for path in paths if recognise(path)})


def _import_folders() -> list[Path]:
    """The folder of imports, and the one of earlier versions where RETRIEVAL_HOME does not say which."""
    home = os.environ.get("RETRIEVAL_HOME")
    if home:
        return [Path(home).expanduser() / "encoders"]
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return [
        Path(platformdirs.user_data_dir("retrieval", appauthor=False)) / "encoders",
        Path(data).expanduser() / "retrieval" / "encoders",
    ]


def repository_of(name: str) -> tuple[str, str]:
    """The repository and the file ('' for all of it) of a name that begins with hf-hub:."""
    repository, _, file = name.removeprefix("hf-hub:").partition("#")
    return repository, file


def _configured(config: EncoderConfig) -> EncoderSource:
    """A named config: what its source means, with what it says of activation and pooling."""
    title = f"{config.name} ({config.size}, licence {config.licence})"
    found = _on_hub(config.source, title) if config.source.startswith("hf-hub:") else resolve(config.source)
    return replace(found, activation=config.activation, pooling=config.pooling, preprocessing=config.preprocessing)


def _on_hub(name: str, title: str = "") -> EncoderSource:
    repository, file = repository_of(name)
    if file:
        return EncoderSource("state-dict", hub.single_file(repository, file, title))
    path = hub.snapshot(repository, title)
    return _folder(path, name) if path.is_dir() else EncoderSource("state-dict", path)


def _tag(name: str) -> EncoderSource:
    model, _, rest = name.removeprefix("open_clip:").partition("/")
    if not model or not rest:
        raise EncoderError(f"{name}: names no tag; write open_clip:<model>/<tag>, such as open_clip:ViT-B-32/openai")
    if is_path(rest) or rest.endswith(STATE_DICTS):
        path = Path(rest).expanduser()
        if not path.is_file():
            raise EncoderError(f"{name}: there is no file {path}; give the weights of a {model}, or one of its tags")
        return EncoderSource("tag", path, model=model)
    return EncoderSource("tag", model=model, tag=rest)


def _folder(path: Path, name: str) -> EncoderSource:
    kind = recognise(path)
    if kind is not None:
        return EncoderSource(kind, path)
    files = state_dicts(path)
    if len(files) > 1:
        choices = ", ".join(str(Path(name) / file.name) for file in files[:8])
        raise EncoderError(f"{name}: holds several state dicts and no config; name one of {choices}")
    if files:
        return EncoderSource("state-dict", files[0])
    raise EncoderError(f"{name}: not an encoder bundle, {LOOKED_FOR} is there; name the folder that has one")


def _unknown(name: str) -> EncoderError:
    names = ["starter", *encoder_names(), *imported_names()]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if is_path(name):
        return EncoderError(f"{name}: there is no such file or folder; give {FORMS}")
    meant = f"did you mean {' or '.join(near)}? Try" if near else "try"
    return EncoderError(
        f"{name}: no such encoder; {meant} starter, biomedclip, {FORMS}; retrieval encoders lists them all"
    )
