"""Sources at a URL: each file is fetched once into the cache of this machine, and read there like any other."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import posixpath
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from retrieval.corpora.patterns import braces_expanded
from retrieval.errors import CorpusError, IndexLockedError
from retrieval.files import locked, read_json, write_json

log = logging.getLogger(__name__)

T = TypeVar("T")

TRIES = 5
FIRST_PAUSE = 1.0
"""Seconds before the second try; each further pause is twice as long."""

PIECE = 8 << 20
"""Bytes that are asked for at a time."""

FETCHED = "fetched.json"
"""What the store said of each file, by which a changed one is known, and which of the files is the source."""


def fetched(url: str) -> str:
    """The path of what lies at a URL, fetched as far as it is not in the cache: a file, a folder, or the files that a
    glob or braces name.

    Raises CorpusError where nothing is there, it cannot be fetched, or a library for such URLs is missing.
    """
    if url.startswith("file://"):
        return url.removeprefix("file://")
    folder = _folder_of(url)
    store, pattern = _opened(url)
    names, source = _listed(store, pattern, url)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder):
            _fetch_all(store, names, folder, source, url)
    except IndexLockedError:
        raise CorpusError(f"{url}: another process is fetching it; wait until it has it") from None
    return str(folder / "files" / source)


def cached(url: str) -> str | None:
    """The path of what was fetched from a URL before; nothing is asked of the network. None where there is none."""
    folder = _folder_of(url)
    about = _about(folder)
    whole = about["files"] and all((folder / "files" / name).is_file() for name in about["files"])
    return str(folder / "files" / about["source"]) if whole else None


def _folder_of(url: str) -> Path:
    """The folder in the cache of a URL. RETRIEVAL_CACHE says where the cache is."""
    cache = os.environ.get("RETRIEVAL_CACHE") or platformdirs.user_cache_dir("retrieval", appauthor=False)
    return Path(cache) / "sources" / hashlib.sha256(url.encode()).hexdigest()[:16]


def _about(folder: Path) -> dict[str, Any]:
    try:
        found = read_json(folder / FETCHED)
    except (FileNotFoundError, ValueError):
        found = None
    return found if isinstance(found, dict) and found.keys() == {"source", "files"} else {"source": "", "files": {}}


def _opened(url: str) -> tuple[Any, str]:
    """The store of a URL, and the path in it."""
    scheme = url.partition("://")[0]
    try:
        from fsspec.core import url_to_fs

        store, pattern = url_to_fs(url)
    except ImportError:
        raise CorpusError(
            f"{url}: {scheme}:// needs a library that is not there; pip install 'retrieval[remote]' reads s3:// and "
            "https://, with gcsfs also gs://, with adlfs az://; or download it and give its path"
        ) from None
    except ValueError:
        raise CorpusError(f"{url}: nothing is known of {scheme}:// URLs; download it and give its path") from None
    store.invalidate_cache()
    return store, str(pattern)


def _listed(store: Any, pattern: str, url: str) -> tuple[dict[str, str], str]:
    """The files that a URL names, by the names that they have here, and the source among them for `open_corpus`: a
    name, a pattern of names, or nothing for all of them."""
    web = url.startswith(("http://", "https://"))
    path = pattern.partition("?")[0].partition("#")[0] if web else pattern
    wild = [path.find(sign) for sign in ("{" if web else "{*?[") if sign in path]
    start = posixpath.dirname(path[: min(wild, default=len(path))].rstrip("/"))

    def name_of(place: str, start: str) -> str:
        name = place.removeprefix(start).lstrip("/")
        return name.partition("?")[0].partition("#")[0] if web else name

    places: list[str] = []
    for one in braces_expanded(pattern):
        if web or _tried(store.isfile, url, one):
            places.append(one)
        elif set(one) & set("*?["):
            places += [place for place in _tried(store.glob, url, one) if store.isfile(place)]
        elif not wild:
            inside = _tried(store.find, url, one)
            places = [place for place in inside if not place.endswith("/")]
            start, pattern = one, one
        else:
            raise CorpusError(f"{url}: {posixpath.basename(one)} is missing; correct the range or restore the file")
    names = {name: place for place in sorted(places) if _is_below(name := name_of(place, start))}
    if not names:
        raise CorpusError(f"{url}: there is no such file; correct the URL")
    return names, name_of(pattern, start)


def _is_below(name: str) -> bool:
    """Tell whether a name stays in the folder that it is written to."""
    return bool(name) and "\\" not in name and not {"", ".", ".."} & set(name.split("/"))


def _fetch_all(store: Any, names: Mapping[str, str], folder: Path, source: str, url: str) -> None:
    """Fetch the files that are new or changed, and forget those that the store has no more."""
    about = _about(folder)
    log.info("%s: %d files, kept in %s", url, len(names), folder)
    for name in about["files"].keys() - names.keys():
        (folder / "files" / name).unlink(missing_ok=True)
    about = {"source": source, "files": {name: told for name, told in about["files"].items() if name in names}}
    for name, place in names.items():
        told = _told(_tried(store.info, url, place))
        file = folder / "files" / name
        if about["files"].get(name) != told or not file.is_file():
            _fetch(store, place, file, folder, url, told)
            about["files"][name] = told
            write_json(folder / FETCHED, about)
    write_json(folder / FETCHED, about)
    shutil.rmtree(folder / "parts", ignore_errors=True)


def _told(info: Mapping[str, Any]) -> dict[str, str]:
    """What a store says of a file, by which a changed one is known."""
    kept = (
        "size",
        "ETag",
        "etag",
        "LastModified",
        "last_modified",
        "mtime",
        "md5Hash",
        "checksum",
        "blob_id",
        "created",
    )
    return {key: str(info[key]) for key in kept if info.get(key) is not None}


def _fetch(store: Any, place: str, file: Path, folder: Path, url: str, told: Mapping[str, str]) -> None:
    """Fetch one file in pieces. What broke off, also in an earlier process, goes on where it stands."""
    known = hashlib.sha256(json.dumps([place, dict(told)]).encode()).hexdigest()
    part = folder / "parts" / known[:16]
    part.parent.mkdir(exist_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)

    def take() -> None:
        at = part.stat().st_size if part.exists() and "size" in told else 0
        with store.open(place, "rb", block_size=PIECE) as source, open(part, "ab" if at else "wb") as taken:
            if at:
                try:
                    source.seek(at)
                except (ValueError, NotImplementedError):  # it gives the file from its beginning only
                    taken.truncate(0)
            while piece := source.read(PIECE):
                taken.write(piece)
            taken.flush()
            os.fsync(taken.fileno())
        if "size" in told and part.stat().st_size != int(told["size"]):
            part.unlink()
            raise OSError(f"{told['size']} bytes were told, and others came")

    _tried(take, url)
    os.replace(part, file)


def _tried(work: Callable[..., T], url: str, *arguments: Any) -> T:
    """What `work` gives, tried again where the network fails. Raises CorpusError where it does to the end."""
    pause = FIRST_PAUSE
    for left in reversed(range(TRIES)):
        try:
            return work(*arguments)
        except FileNotFoundError:
            raise CorpusError(f"{url}: there is no such file; correct the URL") from None
        except PermissionError:
            raise CorpusError(f"{url}: access is refused; set the credentials that the store's own tools use") from None
        except Exception as error:  # every store has errors of its own
            reason = " ".join(str(error).split()) or type(error).__name__
            if not left:
                raise CorpusError(f"{url}: cannot be fetched ({reason}); try again, or download it") from None
            log.info("%s: %s; trying again", url, reason)
            time.sleep(pause)
            pause *= 2
    raise AssertionError("TRIES is 0")
