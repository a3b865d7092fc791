"""Every reader accounts for every file of its source: what a walk finds is read, or named with its reason."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from retrieval.types import Account
from tests.corpora.conftest import picture
from tests.corpora.golden import articles, photographs, radiographs
from tests.corpora.golden.writing import archive, lines_of, put
from tests.corpora.jats import fig
from tests.corpora.jats import jats as article
from tests.corpora.reading import skips

PICTURES = [picture(colour, "JPEG") for colour in ("red", "green", "blue", "white", "black", "gold")]
ROWS = [{"file_name": f"images/{n}.jpg", "caption": f"caption {n}"} for n in range(len(PICTURES))]


def pairs(root: Path, pictures: list[bytes]) -> None:
    for number, data in enumerate(pictures):
        put(root / f"images/{number}.jpg", data)
        put(root / f"images/{number}.txt", b"a caption")


def csv(root: Path, pictures: list[bytes]) -> None:
    images(root, pictures)
    put(root / "captions.csv", "\n".join(["file_name,caption", *(",".join(row.values()) for row in ROWS)]).encode())


def jsonl(root: Path, pictures: list[bytes]) -> None:
    images(root, pictures)
    put(root / "pairs.jsonl", lines_of(ROWS))


def json_list(root: Path, pictures: list[bytes]) -> None:
    images(root, pictures)
    put(root / "captions.json", json.dumps(ROWS).encode())


def imagefolder(root: Path, pictures: list[bytes]) -> None:
    for split in ("train", "test"):
        images(root / split, pictures)
        put(root / split / "metadata.jsonl", lines_of(ROWS))


def parquet(root: Path, pictures: list[bytes]) -> None:
    root.mkdir(parents=True)
    rows = [{"image": {"bytes": data, "path": None}, "caption": "one"} for data in pictures]
    for number in range(2):
        pq.write_table(pa.Table.from_pylist(rows), root / f"train-{number:05d}-of-00002.parquet")


def tars(root: Path, pictures: list[bytes]) -> None:
    members = [
        (f"{n}.{end}", data) for n, image in enumerate(pictures) for end, data in (("jpg", image), ("txt", b"c"))
    ]
    for number in range(2):
        archive(root / f"{number:05d}.tar", members)


def jats(root: Path, pictures: list[bytes]) -> None:
    for number, data in enumerate(pictures):
        put(root / f"PMC{number}/main.nxml", article(fig(f"f{number}", "a caption", f"g{number}")).encode())
        put(root / f"PMC{number}/g{number}.jpg", data)


def images(root: Path, pictures: list[bytes]) -> None:
    for number, data in enumerate(pictures):
        put(root / f"images/{number}.jpg", data)


READERS = [pairs, csv, jsonl, json_list, imagefolder, parquet, tars, jats]
LAYOUTS = [
    *(articles.biomedclip, articles.medicat, articles.roco, articles.rocov2, articles.slake),
    *(photographs.coco, photographs.karpathy, photographs.flickr8k, photographs.img2dataset_files),
    *(photographs.img2dataset_archives, photographs.quilt, photographs.pmc_oa, photographs.open_clip),
    *(radiographs.openi_reports, radiographs.openi_tables, radiographs.mimic),
]
UNUSED = "file that this layout does not use"
STRAYS = {
    "scan.heic": b"x",
    "notes.docx": b"x",
    "slide.svs": b"x",
    "paper.pdf": b"%PDF",
    "extra.json": b'{"a": 1}',
    "broken.parquet": b"PAR1",
    "empty.dat": b"",
    "noext": b"x",
    "sub/deep/film.mp4": b"x",
    ".DS_Store": b"x",
    "__MACOSX/._a.jpg": b"x",
}


def strew(root: Path) -> None:
    """Put one stray thing of each kind into a source."""
    for name, content in STRAYS.items():
        put(root / name, content)
    with zipfile.ZipFile(root / "more.zip", "w") as packed:
        packed.writestr("a.jpg", b"x")
    os.mkfifo(root / "pipe")
    os.mkfifo(root / "pipe.jpg")
    (root / "nowhere.png").symlink_to(root / "gone.png")
    (root / "sub" / "up").symlink_to(root)


def balanced(account: Account, root: Path) -> dict[str, str]:
    """The unread files and why, of an account that counts every file there is."""
    seen = [Path(at, name).relative_to(root).as_posix() for at, _, names in os.walk(root) for name in names]
    left = {skip.uri: skip.reason for skip in account.unread}
    assert account.files == len(seen) == sum(account.read.values()) + len(account.unread)
    assert set(left) <= set(seen)
    assert len(left) == len(account.unread)
    return left


@pytest.mark.parametrize("make", [*READERS, *LAYOUTS], ids=lambda make: make.__name__)
def test_a_source_without_strays_leaves_nothing_unread_but_what_its_layout_does_not_use(make, tmp_path):
    make(tmp_path / "source", PICTURES)
    left = balanced(open_corpus(tmp_path / "source").account, tmp_path / "source")
    assert set(left.values()) <= {UNUSED}


@pytest.mark.parametrize("make", [*READERS, *LAYOUTS], ids=lambda make: make.__name__)
def test_every_file_is_read_or_named_with_its_reason_whatever_lies_in_a_source(make, tmp_path):
    make(tmp_path / "source", PICTURES)
    clean = open_corpus(tmp_path / "source").account
    strew(tmp_path / "source")
    corpus = open_corpus(tmp_path / "source")
    left = balanced(corpus.account, tmp_path / "source")
    skipped = skips(corpus)
    named = {*STRAYS, "more.zip", "pipe", "pipe.jpg", "nowhere.png"} - {".DS_Store", "__MACOSX/._a.jpg"}
    assert named <= {*left, *skipped}
    assert set(left) - named == {skip.uri for skip in clean.unread}
    assert {left[name].partition(":")[0] for name in ("scan.heic", "paper.pdf")} == {"HEIC image", "PDF"}
    assert corpus.account.read["hidden file"] == 2
    assert sum(corpus.account.read.values()) == sum(clean.read.values()) + 2 + len(named - set(left))


@pytest.mark.parametrize(
    ("make", "roles", "unused"),
    [
        (articles.medicat, {"image": 6, "table": 1}, ["subcaptions_public.jsonl"]),
        (articles.roco, {"image": 6, "sidecar": 15, "table": 3}, []),
        (articles.rocov2, {"image": 6, "sidecar": 3, "table": 3}, ["cui_mapping.csv"]),
        (
            photographs.coco,
            {"image": 6, "table": 2},
            ["annotations/instances_train2014.json", "annotations/instances_val2014.json"],
        ),
        (photographs.flickr8k, {"image": 6, "listing": 3, "table": 1}, ["readme.txt"]),
        (photographs.img2dataset_files, {"image": 6, "sidecar": 12, "table": 1, "listing": 1}, []),
        (photographs.img2dataset_archives, {"archive": 1, "table": 1, "listing": 1}, []),
        (radiographs.openi_reports, {"image": 6, "article": 6}, []),
        (radiographs.openi_tables, {"image": 6, "table": 2}, []),
        (radiographs.mimic, {"image": 6, "sidecar": 2, "table": 2}, []),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_files_of_a_published_corpus_have_the_roles_that_they_have(make, roles, unused, tmp_path):
    make(tmp_path / "source", PICTURES)
    account = open_corpus(tmp_path / "source").account
    assert dict(account.read) == roles
    assert balanced(account, tmp_path / "source") == dict.fromkeys(unused, UNUSED)


def test_captions_of_one_split_that_are_cut_off_do_not_leave_the_split_out_in_silence(tmp_path):
    photographs.coco(tmp_path, PICTURES)
    path = tmp_path / "annotations" / "captions_val2014.json"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(CorpusError, match=r"captions_val2014.json: cannot be read as JSON"):
        open_corpus(tmp_path)
