"""Which caption belongs to which image of a folder, by their names alone."""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from retrieval.corpora.file_kinds import TEXT_SUFFIXES, could_have_caption, is_picture, is_prose
from retrieval.corpora.naming import IMAGE_SUFFIXES, printable, shortest_names

IMAGE_WITHIN = re.compile(
    rf".+?(?:{'|'.join(map(re.escape, sorted(IMAGE_SUFFIXES, key=len, reverse=True)))})(?=\.)", re.IGNORECASE
)
"""What a caption's name begins with that is called after the whole name of its image."""
TELLING = re.compile(
    r"[ _.-]*(?<![a-z])(captions?|legends?|descriptions?|desc|text|txt|images?|img|figures?|fig|photo)(?![a-z])[ _.-]*"
)
"""Words in names that say whether a file is an image or a caption."""
AMBIGUOUS = "caption of several images of this name in other folders"
SEVERAL = "one of several captions of this name in other folders"
SECOND = "another file holds the caption of this image"
NO_CAPTIONS_IN = "labels"
"""Of folders beside images, the one whose texts are boxes and classes."""
NO_CAPTIONS = ("label", "class", "box", "log", "info")
"""Names that begin so are of texts about an image that are no caption of it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One figure to be: paths relative to the folder. An image that is not `readable` is of another kind."""

    figure_id: str
    image: str | None
    text: str | None
    json: str | None
    readable: bool = True


@dataclass(frozen=True, slots=True)
class PairedFiles:
    """The figures of a folder in the order of their names, and of captions that no image took why."""

    entries: tuple[Entry, ...]
    left: Mapping[str, str]


def pair_files(names: Iterable[str], unnamed: Collection[str] = ()) -> PairedFiles:
    """Pair images with captions: of the same name with .txt behind it, of the same stem, of the same stem in other
    letters, of the same stem in a folder beside that of the images, where that is one to one, and at last the only
    image and the only caption of each of several folders.

    Names are equal in composed and decomposed form. Captions that are left may be those of pictures that cannot be
    read, so that they are no figures of a caption alone. In a folder without either each caption is a figure, and
    that of a file of another kind a figure that is not read. `unnamed` are the images whose names do not say so.
    """
    of_suffix: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        of_suffix[_suffix(name)].append(name)
    images = sorted([*unnamed, *(name for suffix in IMAGE_SUFFIXES for name in of_suffix.get(suffix, ()))])
    texts = [name for suffix in TEXT_SUFFIXES for name in of_suffix.get(suffix, ())]
    jsons = of_suffix.get(".json", [])
    known = {*IMAGE_SUFFIXES, *TEXT_SUFFIXES, ".json"}
    rest = sorted(name for suffix, some in of_suffix.items() if suffix not in known for name in some)
    others = [name for name in rest if could_have_caption(name) and not is_prose(name) and name not in unnamed]
    if not images and not any(map(is_picture, others)):
        return _captions_alone([name for name in texts if not is_prose(name)], jsons, others)
    text_of, left_texts = _taken(images, others, texts)
    json_of, left_jsons = _taken(images, others, jsons)
    shown = sorted({*images, *text_of, *json_of}, key=lambda image: (_stem(image), image))
    ids = shortest_names([printable(image) for image in shown])
    known_images = set(images)
    entries = [
        Entry(figure_id, image, text_of.get(image), json_of.get(image), image in known_images)
        for figure_id, image in zip(ids, shown, strict=True)
    ]
    return PairedFiles(tuple(entries), {**left_texts, **left_jsons})


def _captions_alone(texts: Sequence[str], jsons: Sequence[str], others: Sequence[str]) -> PairedFiles:
    """Captions of no image; those of another file of their name are its own, which is not read."""
    texts = [name for name in texts if _suffix(name) != ".md"]
    text_of: dict[str, str] = {}
    shown = {key: name for name in reversed(others) for key in (name, _stem(name))}
    for text in texts:
        text_of.setdefault(_stem(text), text)
    json_of = {_stem(name): name for name in jsons}
    stems = sorted({*text_of, *json_of})
    ids = shortest_names([printable(text_of.get(stem) or json_of[stem]) for stem in stems])
    entries = (
        Entry(figure_id, shown.get(stem), text_of.get(stem), json_of.get(stem), stem not in shown)
        for figure_id, stem in zip(ids, stems, strict=True)
    )
    return PairedFiles(tuple(entries), {})


def _taken(
    images: Sequence[str], pictures: Sequence[str], beside: Sequence[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Which of the files `beside` each image has, then each picture that is not read; and of those left, that might be
    an image's, why they are not."""
    taken: dict[str, str] = {}
    used: set[str] = set()

    left: dict[str, str] = {}

    def by(key_of_image: Callable[[str], str], key_of_caption: Callable[[str], str]) -> None:
        """Files that no image has yet go to all images of their key that have none, the first file for each."""
        keyed: dict[str, str] = {}
        for name in beside:
            if name not in used:
                keyed.setdefault(key_of_caption(name), name)
        if not keyed:
            return
        for image in some:
            found = keyed.get(key_of_image(image))
            if found is not None and image in taken:
                left[found] = SECOND
            elif found is not None:
                taken[image] = found
                used.add(found)

    for some in (images, pictures):
        by(_composed, lambda name: _composed(_stem(name)))  # a.jpg.txt of a.jpg
        by(_composed, lambda name: _composed(_up_to_image(name)))  # a.jpg.supplemental-metadata.json
        by(lambda image: _composed(_stem(image)), lambda name: _composed(_stem(name)))
        by(lambda image: _composed(_stem(image)).casefold(), lambda name: _composed(_stem(name)).casefold())
        sure = _one_to_one(some, beside, taken, used)
        taken |= sure
        used |= set(sure.values())
        for depth in _depths(beside):
            _beside(some, beside, depth, taken, used, left)
        _one_in_a_folder(some, [name for name in beside if name not in used], taken, used)
    return taken, {name: why for name, why in left.items() if name not in used}


def pair_beside(images: Sequence[str], captions: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """By image the caption in a folder beside its own, where that is one to one; of other captions why they are not."""
    taken: dict[str, str] = {}
    left: dict[str, str] = {}
    used: set[str] = set()
    for depth in _depths(captions):
        _beside(images, captions, depth, taken, used, left)
    return taken, left


def _one_to_one(
    images: Sequence[str], captions: Sequence[str], taken: Mapping[str, str], used: Collection[str]
) -> dict[str, str]:
    """What is left, paired where names differ by words such as image and caption, and by those alone."""
    waiting: dict[str, list[str]] = defaultdict(list)
    for name in captions:
        if name not in used and TELLING.search(_stem(name).rpartition("/")[2].casefold()):
            waiting[_plain(name)].append(name)
    of_key: dict[str, list[str]] = defaultdict(list)
    for image in images if waiting else ():
        if image not in taken:
            of_key[_plain(image)].append(image)
    return {of_key[key][0]: names[0] for key, names in waiting.items() if len(names) == len(of_key.get(key, [])) == 1}


def _depths(names: Sequence[str]) -> list[int | None]:
    """Where in a path the name of one folder may differ, as images/ and captions/ do; None: all folders may."""
    return [*range(max((name.count("/") for name in names), default=0) + 1), None]


def _beside(
    images: Sequence[str],
    captions: Sequence[str],
    depth: int | None,
    taken: dict[str, str],
    used: set[str],
    left: dict[str, str],
) -> None:
    """Pair what is left, by paths without the folder at `depth`; only a key of one image and one caption is sure."""
    waiting: dict[str, list[str]] = defaultdict(list)
    for name in captions:
        if name not in used and name not in left and NO_CAPTIONS_IN not in name.lower().split("/"):
            for key in _without(name, depth):
                waiting[key].append(name)
    of_key: dict[str, list[str]] = defaultdict(list)
    for image in images if waiting else ():
        if image not in taken:
            for key in _without(image, depth):
                of_key[key].append(image)
    for key, names in waiting.items():
        of_it = of_key.get(key, [])
        if len(names) == len(of_it) == 1:
            taken[of_it[0]] = names[0]
            used.add(names[0])
        elif of_it and depth is None:
            left.update(dict.fromkeys(names, AMBIGUOUS if len(of_it) > 1 else SEVERAL))


def _up_to_image(name: str) -> str:
    """The name of the image with which the name of a caption begins, or all of it."""
    folder, slash, last = name.rpartition("/")
    found = IMAGE_WITHIN.match(last)
    return folder + slash + (found[0] if found else last)


def _plain(name: str) -> str:
    """A path without suffix and the words that tell images and captions apart: fig/image_1 and fig/caption_1."""
    folder, slash, last = _composed(_stem(name)).casefold().rpartition("/")
    return folder + slash + TELLING.sub("", last)


def _one_in_a_folder(images: Sequence[str], captions: Sequence[str], taken: dict[str, str], used: set[str]) -> None:
    """Pair the only image of a folder with its only caption left, where this is called the same in other folders: a
    folder a case, each with a report.txt. Not where any of these folders has more images."""
    inside: dict[str, list[str]] = defaultdict(list)
    for image in images if captions else ():
        inside[posixpath.dirname(image)].append(image)
    left = Counter(map(posixpath.dirname, captions))
    called: dict[str, list[str]] = defaultdict(list)
    for name in captions:
        called[posixpath.basename(name)].append(name)
    for names in called.values():
        pairs = [(inside.get(posixpath.dirname(name), []), name) for name in names if _may_be_caption(name)]
        alone = [len(some) == 1 and some[0] not in taken and left[posixpath.dirname(name)] == 1 for some, name in pairs]
        if len(pairs) > 1 and all(alone):
            taken.update({some[0]: name for some, name in pairs})
            used.update(names)


def _may_be_caption(name: str) -> bool:
    return not is_prose(name) and (
        _suffix(name) == ".json" or not posixpath.basename(name).lower().startswith(NO_CAPTIONS)
    )


def _without(name: str, depth: int | None) -> list[str]:
    *folders, last = _composed(_stem(name)).casefold().split("/")
    last = os.path.splitext(last)[0] if os.path.splitext(last)[1] in IMAGE_SUFFIXES else last
    if depth is None:
        return [last]
    return ["/".join([*folders[:depth], *folders[depth + 1 :], last])] if depth <= len(folders) else []


def _stem(name: str) -> str:
    return os.path.splitext(name[:-3] if name.lower().endswith(".nii.gz") else name)[0]


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _composed(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)
