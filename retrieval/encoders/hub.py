"""Encoders from the Hugging Face hub, through its own client and cache; what is cached is used without the network."""

from __future__ import annotations

import glob
import logging
import re
from collections.abc import Mapping
from pathlib import Path

from retrieval.encoders.detect_layout import (
    CONFIGS,
    LOOKED_FOR,
    OPEN_CLIP_WEIGHTS,
    STATE_DICTS,
    lacks,
    needed_files,
    recognise,
    state_dicts,
)
from retrieval.errors import EncoderError

log = logging.getLogger("retrieval")
REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)?")
INSTEAD = "use --encoder starter, which needs no download, or a bundle folder"


def snapshot(repository: str, title: str = "") -> Path:
    """The folder of a hub repository, or its only state-dict file; what is missing is fetched, saying so first.

    `title` names the encoder, its size and its licence in that sentence; without one the hub is asked for them first.
    HF_HUB_OFFLINE, HF_HOME and the other variables of huggingface_hub hold. Raises EncoderError where the repository
    cannot be had, is of no known layout, or has several state dicts to choose from.
    """
    folder = cached_folder(repository)
    missing = _missing(folder) if folder is not None else []
    if folder is not None and not missing:
        return folder
    if offline():
        lack = f"the hub's cache lacks {', '.join(missing)}" if missing else "not in the hub's cache"
        raise EncoderError(
            f"{repository}: {lack}, and HF_HUB_OFFLINE forbids downloading; {_instead(repository, folder)}"
        )
    if title:
        _say(title, completing=bool(missing))
    sizes, licence = _listing(repository, title)
    names = needed_files(sizes)
    if not names:
        names = [name for name in sizes if name.endswith(STATE_DICTS)]
        if len(names) == 1:
            return _fetched(repository, names[0], title) if title else single_file(repository, names[0])
        if names:
            raise EncoderError(f"{repository}: holds several state dicts; name one of {_choices(repository, names)}")
        raise EncoderError(f"{repository}: not an encoder, {LOOKED_FOR} is there; name another repository")
    fetch = [name for name in names if folder is None or not (folder / name).is_file()]
    if not title:
        _say(_about(repository, sum(sizes[name] for name in fetch), licence), completing=bool(missing))
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(repository, allow_patterns=[glob.escape(name) for name in names]))
    except Exception as error:  # the client, its HTTP library and the operating system raise a dozen types
        raise _not_downloaded(repository, error, title) from error


def single_file(repository: str, name: str, title: str = "") -> Path:
    """One file of a repository, as `snapshot`. Raises EncoderError where there is no such file."""
    folder = cached_folder(repository)
    if folder is not None and (folder / name).is_file():
        return folder / name
    if offline():
        raise EncoderError(
            f"{repository}: {name} is not in the hub's cache, and HF_HUB_OFFLINE forbids downloading; {INSTEAD}"
        )
    if title:
        _say(title, completing=False)
    sizes, licence = _listing(repository, title)
    if name not in sizes:
        there = [other for other in sizes if other.endswith(STATE_DICTS)]
        raise EncoderError(
            f"{repository}: has no file {name}; there is {_choices(repository, there) or 'no state dict'}"
        )
    if not title:
        _say(_about(f"{repository}#{name}", sizes[name], licence), completing=False)
    return _fetched(repository, name, title)


def _fetched(repository: str, name: str, title: str) -> Path:
    """One file of a repository, downloaded."""
    try:
        from huggingface_hub import hf_hub_download

        return Path(hf_hub_download(repository, name))
    except Exception as error:
        raise _not_downloaded(repository, error, title) from error


def cached_folder(repository: str) -> Path | None:
    """The cached snapshot of a repository's main branch, complete or not; None where nothing of it is cached."""
    from huggingface_hub import constants

    if not REPOSITORY.fullmatch(repository):
        raise EncoderError(f"{repository}: not a hub repository; write hf-hub:<owner>/<repository>")
    # the layout that huggingface_hub documents; its own functions for this take half a second to import
    root = Path(constants.HF_HUB_CACHE) / "--".join(["models", *repository.split("/")])
    try:
        commit = (root / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    folder = root / "snapshots" / commit
    return folder if folder.is_dir() else None


def offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def state(repository: str, file: str = "") -> tuple[str, list[str]]:
    """Whether a repository, or one file of it, is cached: yes, no or partly, and then what is missing."""
    folder = cached_folder(repository)
    missing = [] if folder is None else _missing(folder)
    if file:
        return ("yes", []) if folder is not None and (folder / file).is_file() else ("no", [])
    return ("no", []) if folder is None else ("partly" if missing else "yes", missing)


def tag_state(repository: str) -> tuple[str, list[str]]:
    """As `state`, of the weights of an open_clip tag: its configuration is open_clip's own."""
    folder = cached_folder(repository)
    here = folder is not None and any((folder / name).is_file() for name in OPEN_CLIP_WEIGHTS)
    return ("yes", []) if here else ("no", [])


def _missing(folder: Path) -> list[str]:
    """What a cached snapshot lacks. Weights alone do not say what they are of, however many there are."""
    kind = recognise(folder)
    return [" or ".join(CONFIGS)] if kind is None else lacks(folder, kind)


def _instead(repository: str, folder: Path | None) -> str:
    files = [] if folder is None or recognise(folder) else [path.name for path in state_dicts(folder)]
    return f"to use a cached state dict name it: {_choices(repository, files)}" if files else INSTEAD


def _choices(repository: str, names: list[str]) -> str:
    return ", ".join(f"hf-hub:{repository}#{name}" for name in names[:8])


def _listing(repository: str, title: str) -> tuple[Mapping[str, int], str]:
    """The files of a repository with their bytes, and its licence."""
    try:
        from huggingface_hub import HfApi

        info = HfApi().model_info(repository, files_metadata=True)
    except Exception as error:
        raise _not_downloaded(repository, error, title) from error
    licence = getattr(info.card_data, "license", None) or "unknown"
    return {file.rfilename: file.size or 0 for file in info.siblings or []}, str(licence)


def _about(name: str, size: int, licence: str) -> str:
    return f"{name} ({size / 1e6:.0f} MB, licence {licence})"


def _say(title: str, *, completing: bool) -> None:
    what = "completing the download of" if completing else "downloading"
    log.warning("%s encoder %s from the hub; --encoder starter needs no download", what, title)


def _not_downloaded(repository: str, error: Exception, title: str = "") -> EncoderError:
    """The error of a failed download, which names the encoder as it was asked for and the repository."""
    text = str(error).strip()
    reason = text.splitlines()[0] if text else type(error).__name__
    name = f"{title.partition(' (')[0]} ({repository})" if title else repository
    return EncoderError(f"{name}: could not be downloaded ({reason}); {INSTEAD}")
