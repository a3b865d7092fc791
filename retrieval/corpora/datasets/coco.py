"""COCO captions, Karpathy's splits and Flickr's token files: photographs with five captions each."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from retrieval.corpora.datasets.folder_listing import ImageFiles, Listing, beginning, objects, read_json_file, relative
from retrieval.corpora.datasets.row_lists import DatasetRows, ListedRows
from retrieval.corpora.tables.text_rows import Row
from retrieval.corpora.tables.values import captions_in, name_in
from retrieval.errors import CorpusError

_COCO = re.compile(r"captions.*\.json", re.I)
_KARPATHY = re.compile(r"dataset.*\.json", re.I)
_ANY_JSON = re.compile(r".*\.json", re.I)
_TOKENS = re.compile(r".*\.token(\.txt)?", re.I)
_TOKEN = re.compile(r"([^\t#]+\.\w+)#\d+\t(.*)")
_SPLIT = re.compile(r"(train|val|test|dev)", re.I)


def find_karpathy(listing: Listing) -> DatasetRows | None:
    """`dataset_*.json`: `images`, a list of objects with `filename`, `split` and `sentences`."""

    def tells(value: Any) -> bool:
        return {"filename", "split", "sentences"} <= _first(value, "images").keys()

    found = _json_files(listing, _KARPATHY, tells)
    if len(found) > 1:
        names = ", ".join(name for _, name, _ in found)
        raise CorpusError(f"{listing.root}: holds several sets of captions ({names}); give the path of one of them")
    if not found:
        return None
    folder, name, value = found[0]
    images = ImageFiles(listing.root)
    rows = (_of_karpathy(item, folder, images) for item in value["images"])
    return DatasetRows("karpathy", listing.root, [ListedRows(listing.path(folder, name), rows)])


def _of_karpathy(item: Any, folder: str, images: ImageFiles) -> Row | str:
    if not isinstance(item, dict):
        return "row is not a JSON object"
    name = name_in(item.get("filename"))
    if name is None:
        return "figure names no image"
    path = posixpath.join(name_in(item.get("filepath")) or "", name)
    kept = {
        key: value
        for key, value in item.items()
        if key not in ("sentences", "sentids", "filename", "filepath", "cocoid")
    }
    return {
        **kept,
        "image": relative(images.find(path, name) or path, folder),
        "caption": list(captions_in(item.get("sentences"))),
        "figure_id": name_in(item.get("cocoid")) or posixpath.splitext(name)[0],
    }


def find_coco(listing: Listing) -> DatasetRows | None:
    """`captions_*.json`: `images` with `id` and `file_name`, and `annotations` with `image_id` and `caption`."""

    def tells(value: Any) -> bool:
        image, annotation = _first(value, "images"), _first(value, "annotations")
        return {"id", "file_name"} <= image.keys() and {"image_id", "caption"} <= annotation.keys()

    found = _json_files(listing, _COCO, tells)
    if not found:
        return None
    images = ImageFiles(listing.root)
    tables = [
        ListedRows(listing.path(folder, name), _of_coco(value, folder, name, images)) for folder, name, value in found
    ]
    return DatasetRows("coco", listing.root, tables)


def _of_coco(value: dict[str, Any], folder: str, name: str, images: ImageFiles) -> Iterator[Row | str]:
    licences = {name_in(item.get("id")): name_in(item.get("name")) for item in objects(value.get("licenses"))}
    told = _SPLIT.search(name)
    split = told[0].lower() if told else None
    captions: dict[str | None, list[str]] = {name_in(item.get("id")): [] for item in objects(value["images"])}
    astray = 0
    for annotation in objects(value["annotations"]):
        of = captions.get(name_in(annotation.get("image_id")))
        if of is None:
            astray += 1
        else:
            of += captions_in(annotation.get("caption"))
    for item in value["images"]:
        file_name = name_in(item.get("file_name")) if isinstance(item, dict) else None
        if file_name is None:
            yield "figure names no image"
            continue
        own_id = name_in(item.get("id"))
        image = images.find(file_name, near=split or "")
        if image is None or _of_another_split(image, split):
            image = file_name
        yield {
            **{key: value for key, value in item.items() if key not in ("id", "file_name", "license")},
            "image": relative(image, folder),
            "caption": captions[own_id],
            "figure_id": own_id,
            "split": split,
            "licence": licences.get(name_in(item.get("license"))),
        }
    yield from ["caption of no listed image"] * astray


def _of_another_split(image: str, split: str | None) -> bool:
    """The image lies in a folder of train where the captions are of val: both may have a 1.jpg."""
    folder = posixpath.dirname(image)
    return split is not None and split not in folder.lower() and _SPLIT.search(folder) is not None


def find_flickr_tokens(listing: Listing) -> DatasetRows | None:
    """`Flickr8k.token.txt` or `results.token`: lines `name.jpg#0<tab>caption`; lists of names may say the splits."""
    if any("captions.txt" in names for names in listing.files.values()):
        return None  # the same captions as a table
    found = [listing.path(*place) for place in listing.named(_TOKENS) if _TOKEN.match(beginning(listing.path(*place)))]
    if len(found) != 1:
        return None
    (path,) = found
    folder = posixpath.dirname(path.relative_to(listing.root).as_posix())
    images = ImageFiles(listing.root)
    lists = _flickr_lists(path.parent)
    splits = {name: split for split, files in lists.items() for file in files for name in _words(file)}

    def row(line: bytes) -> Row | str:
        try:
            token = _TOKEN.fullmatch(line.decode().rstrip("\r"))
        except UnicodeDecodeError:
            return "row is not UTF-8 text"
        if token is None:
            return "line is not a name, a tab and a caption"
        name = token[1].strip()
        image = relative(images.find(name) or name, folder)
        return {"image": image, "caption": [token[2]], "figure_id": name, "split": splits.get(name)}

    lines = (line for line in path.read_bytes().split(b"\n") if line.strip())
    beside = {file: "listing" for files in lists.values() for file in files}
    return DatasetRows("flickr", listing.root, [ListedRows(path, map(row, lines))], beside=beside)


def _flickr_lists(folder: Path) -> dict[str, list[Path]]:
    """train, dev and test → Flickr_8k.trainImages.txt and the like, which list names."""
    return {split: sorted(folder.glob(f"*.{split}Images.txt")) for split in ("train", "dev", "test")}


def _words(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").split()


def _json_files(listing: Listing, pattern: re.Pattern[str], tells: Any) -> list[tuple[str, str, Any]]:
    """(folder, name, value) of the JSON files that tell; one that was named itself may be called anything."""
    names = list(listing.files.values())
    alone = len(names) == 1 and len(names[0]) == 1
    read = [
        (folder, name, read_json_file(listing.path(folder, name)))
        for folder, name in listing.named(_ANY_JSON if alone else pattern)
    ]
    found = [(folder, name, value) for folder, name, value in read if isinstance(value, dict) and tells(value)]
    broken = next((listing.path(folder, name) for folder, name, value in read if value is None), None)
    if found and broken:
        raise CorpusError(f"{broken}: cannot be read as JSON, and others like it can; restore the file or take it away")
    return found


def _first(value: dict[str, Any], key: str) -> dict[str, Any]:
    return next(iter(objects(value.get(key))), {})
