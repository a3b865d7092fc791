"""What every corpus promises, checked on each kind of source."""

from __future__ import annotations

import csv
import gzip
import io
import json
import pickle
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from retrieval.corpora import open_corpus
from retrieval.types import Corpus, Figure, Skip
from tests.corpora.golden import articles, photographs, radiographs

NAMES = [f"{folder}/{n}" for folder in ("b", "a") for n in range(6)]


def picture(name: str) -> bytes:
    """A whole PNG file; each name has another one."""
    buffer = io.BytesIO()
    Image.new("L", (1 + len(name), 1), sum(name.encode()) % 256).save(buffer, "PNG")
    return buffer.getvalue()


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def row(name: str) -> dict[str, object]:
    return {"image": f"{name}.png", "caption": f"of {name}", "year": 2000 + len(name), "article_id": name[0]}


def folder(root: Path, names: list[str]) -> None:
    for name in names:
        put(root / f"{name}.png", picture(name))
        put(root / f"{name}.txt", f"of {name}".encode())
        put(root / f"{name}.json", json.dumps({"year": 2000}).encode())
    put(root / "broken.png", picture("broken"))
    put(root / "broken.txt", b"\xff")


def zipped_folder(root: Path, names: list[str]) -> None:
    folder(root / "unpacked", names)
    shutil.make_archive(str(root / "packed"), "zip", root / "unpacked")
    shutil.rmtree(root / "unpacked")


def images(root: Path, names: list[str]) -> None:
    for name in names:
        put(root / f"{name}.png", picture(name))


def json_lines(root: Path, names: list[str]) -> None:
    images(root / "images", names)
    lines = [json.dumps(row(name)) for name in [*names, "missing", names[0]]]
    put(root / "captions.jsonl", "\n".join([*lines, "{broken"]).encode())


def comma_separated(root: Path, names: list[str]) -> None:
    images(root, names)
    text = io.StringIO()
    writer = csv.DictWriter(text, ["image", "caption", "year", "article_id"])
    writer.writeheader()
    writer.writerows(row(name) for name in [*names, *names])
    put(root / "captions.csv", (text.getvalue() + "too,few\n").encode())


def compressed_table(root: Path, names: list[str]) -> None:
    comma_separated(root, names)
    put(root / "captions.csv.gz", gzip.compress((root / "captions.csv").read_bytes(), mtime=0))
    (root / "captions.csv").unlink()


def parquet_of_paths(root: Path, names: list[str]) -> None:
    images(root, names)
    rows = [row(name) for name in [*names, "missing", *names]]
    pq.write_table(pa.Table.from_pylist(rows), root / "metadata.parquet", row_group_size=5)


def parquet_of_images(root: Path, names: list[str]) -> None:
    for number in range(2):
        mine = names[number::2]
        rows = [row(name) | {"image": {"bytes": picture(name), "path": f"{name}.png"}} for name in mine]
        root.mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), root / f"{number}.parquet", row_group_size=2)


def image_folder(root: Path, names: list[str]) -> None:
    for split in ("train", "test"):
        images(root / split, names)
        lines = [json.dumps({"file_name": f"{name}.png", "text": f"of {name}"}) for name in names]
        put(root / split / "metadata.jsonl", "\n".join(lines).encode())


def tar(names: list[str]) -> bytes:
    beside = {".txt": b"text", ".json": b'{"year": 2000}'}
    return tar_of(
        {name + suffix: data for name in names for suffix, data in ({".png": picture(name)} | beside).items()}
    )


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def shards(root: Path, names: list[str]) -> None:
    put(root / "0.tar", tar(names[:5]))
    put(root / "1.tar", tar([]))
    put(root / "2.tar", tar(names)[:-3000])
    put(root / "3.tar.gz", gzip.compress(tar(names[5:]), mtime=0))


def published(sample: Callable[[Path, list[bytes]], None]) -> Callable[[Path, list[str]], None]:
    """A corpus in its authors' layout, of the pictures of these names."""

    def build(root: Path, names: list[str]) -> None:
        sample(root, [picture(name) for name in names])

    build.__name__ = sample.__name__
    return build


PUBLISHED = [
    articles.biomedclip,
    articles.medicat,
    articles.roco,
    articles.rocov2,
    articles.slake,
    photographs.coco,
    photographs.karpathy,
    photographs.flickr8k,
    photographs.img2dataset_files,
    photographs.img2dataset_archives,
    photographs.biomedica,
    photographs.quilt,
    photographs.pmc_oa,
    radiographs.openi_reports,
    radiographs.openi_tables,
    radiographs.mimic,
]


def jats_article(name: str, figures: list[str]) -> str:
    drawn = "".join(f'<fig id="F{n}"><graphic xlink:href="{n}"/></fig>' for n, _ in enumerate(figures))
    meta = f'<article-id pub-id-type="doi">10.1/{name}</article-id><pub-date><year>2000</year></pub-date>'
    head = f'<article xmlns:xlink="http://www.w3.org/1999/xlink"><front><article-meta>{meta}</article-meta></front>'
    return f'{head}<body>{drawn}<fig id="lost"><graphic xlink:href="lost"/></fig></body></article>'


def jats(root: Path, names: list[str]) -> None:
    for folder in sorted({name.split("/")[0] for name in names}):
        mine = [name for name in names if name.startswith(folder)]
        files = {f"{folder}/a.nxml": jats_article(folder, mine).encode()}
        files |= {f"{folder}/{n}.png": picture(name) for n, name in enumerate(mine)}
        if folder == "a":
            put(root / "packed.tar.gz", gzip.compress(tar_of(files), mtime=0))
        else:
            for name, data in files.items():
                put(root / name, data)
    put(root / "broken" / "a.nxml", b"<article>")


def python_rows(root: Path, names: list[str]) -> None:
    root.mkdir(parents=True)
    rows = [row(name) | {"id": name, "image": picture(name)} for name in names]
    (root / ROWS).write_bytes(pickle.dumps([*rows, {"id": "bare", "image": None, "caption": "a caption only"}]))


ROWS = "rows.pickle"
"""Rows of Python, written down so that they can be moved and read again."""

BUILDERS = [
    python_rows,
    folder,
    zipped_folder,
    images,
    json_lines,
    comma_separated,
    compressed_table,
    parquet_of_paths,
    parquet_of_images,
    image_folder,
    shards,
    jats,
    *map(published, PUBLISHED),
]


@dataclass
class Source:
    root: Path
    build: Callable[[Path, list[str]], None]

    def open(self) -> Corpus:
        return opened(self.root)


def opened(root: Path) -> Corpus:
    rows, packed = root / ROWS, root / "packed.zip"
    if rows.exists():
        return open_corpus(pickle.loads(rows.read_bytes()))
    return open_corpus(packed if packed.exists() else root)


@pytest.fixture(params=BUILDERS, ids=lambda build: build.__name__)
def source(request, tmp_path) -> Source:
    root = tmp_path / "here"
    request.param(root, NAMES)
    return Source(root, request.param)


def read(corpus: Corpus, size: int) -> list[Figure | Skip]:
    return [item for split in corpus.split(size) for item in corpus.read(split)]


class TestEveryCorpus:
    def test_gives_the_same_cut_every_time(self, source):
        corpus = source.open()
        assert corpus.split(3) == corpus.split(3) == source.open().split(3)

    def test_numbers_its_splits_from_zero_and_keeps_to_their_size(self, source):
        splits = source.open().split(3)
        assert [split.number for split in splits] == list(range(len(splits)))
        assert all(1 <= split.stop - split.start <= 3 for split in splits)

    @pytest.mark.parametrize("size", [1, 3, 1000])
    def test_yields_exactly_as_many_items_as_a_split_announces(self, source, size):
        corpus = source.open()
        for split in corpus.split(size):
            assert len(list(corpus.read(split))) == split.stop - split.start

    def test_gives_the_same_sequence_for_every_size_of_split(self, source):
        corpus = source.open()
        whole = read(corpus, 1000)
        assert len(whole) >= len(NAMES)
        assert read(corpus, 1) == read(corpus, 3) == whole

    def test_reads_splits_in_any_order(self, source):
        corpus = source.open()
        splits = corpus.split(3)
        forward = [list(corpus.read(split)) for split in splits]
        assert [list(corpus.read(split)) for split in reversed(splits)] == forward[::-1]

    def test_reads_two_splits_at_once(self, source):
        corpus = source.open()
        first, second = corpus.split(2)[:2]
        woven = [item for pair in zip(corpus.read(first), corpus.read(second), strict=True) for item in pair]
        assert woven[::2] == list(corpus.read(first))
        assert woven[1::2] == list(corpus.read(second))

    def test_names_every_item_once(self, source):
        ids = [item.figure_id for item in read(source.open(), 1000)]
        assert len(set(ids)) == len(ids)
        assert all(ids)

    def test_has_values_of_the_declared_types(self, source):
        corpus = source.open()
        python = {"string": str, "int64": int, "float64": float, "bool": bool}
        for item in read(corpus, 1000):
            if isinstance(item, Figure):
                assert set(item.metadata) == set(corpus.columns)
                for name, value in item.metadata.items():
                    assert value is None or type(value) is python[corpus.columns[name]]
                json.dumps(item.extra, allow_nan=False)

    def test_gives_the_files_of_images_byte_for_byte(self, source):
        found = {item.image for item in read(source.open(), 1000) if isinstance(item, Figure)}
        assert {picture(name) for name in NAMES} <= found

    def test_is_the_same_corpus_in_another_place(self, source, tmp_path):
        moved = shutil.copytree(source.root, tmp_path / "some where" / "else")
        there = Source(moved, source.build).open()
        assert there.fingerprint == source.open().fingerprint
        assert read(there, 3) == read(source.open(), 3)
        assert (there.kind, there.columns) == (source.open().kind, source.open().columns)

    def test_is_another_corpus_with_another_figure(self, source, tmp_path):
        before = source.open().fingerprint
        source.build(tmp_path / "grown", [*NAMES, "c/new"])
        assert opened(tmp_path / "grown").fingerprint != before

    def test_can_be_sent_to_another_process(self, source):
        corpus = source.open()
        copy = pickle.loads(pickle.dumps(corpus))
        assert read(copy, 3) == read(corpus, 3)
        assert (copy.fingerprint, copy.columns) == (corpus.fingerprint, corpus.columns)
