"""The library `webdataset` is the oracle: its samples of an archive are ours, in its order; and more where it stops."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from retrieval.types import Figure
from tests.corpora.reading import everything, figures
from tests.corpora.tar_files import tar

wds = pytest.importorskip("webdataset", reason="the library webdataset is not installed")

from webdataset import tariterators  # noqa: E402

KEYS = ("000", "001", "./002", "a b/é.v1/003", "dir.x/004", "x")
IMAGES = ("jpg", "JPEG", "png", "webp")
FIELDS = (*IMAGES, "txt", "json", "cls", "npy", "2.png", "2.txt", "seg.png", "caption.txt", "mp4")


def library(path: Path) -> list[dict[str, bytes]]:
    """What the library reads, without members that it refuses."""
    with open(path, "rb") as file:
        members = [{**member, "__url__": ""} for member in tariterators.tar_file_iterator(file)]
    return list(tariterators.group_by_keys(members, handler=wds.ignore_and_continue))


def content(number: int, name: str) -> bytes:
    return json.dumps({"n": number}).encode() if name.endswith("json") else f"{number} {name}".encode()


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(IMAGES),
            st.lists(st.sampled_from(("txt", "json", "cls", "npy")), unique=True).filter(bool),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_samples_of_one_image_are_the_librarys(tmp_path, shapes):
    members = [
        (f"{key}.{name}", content(number, name))
        for number, (key, (image, others)) in enumerate(zip(KEYS, shapes, strict=False))
        for name in (image, *others)
    ]
    path = tmp_path / "s.tar"
    path.write_bytes(tar(members))
    found = [
        (figure.figure_id, figure.image, "".join(figure.captions).encode(), figure.metadata.get("n"))
        for figure in everything(open_corpus(path))
    ]
    assert found == [
        (
            sample["__key__"].removeprefix("./"),
            next(sample[name.lower()] for name in IMAGES if name.lower() in sample),
            sample.get("txt", b""),
            json.loads(sample["json"])["n"] if "json" in sample else None,
        )
        for sample in library(path)
    ]


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(FIELDS)), min_size=1, max_size=14))
def test_whatever_the_members_nothing_is_lost_or_mispaired(tmp_path, names):
    members = [(f"{key}.{name}", content(number, f"{key} {name}")) for number, (key, name) in enumerate(names)]
    path = tmp_path / "s.tar"
    path.write_bytes(tar(members))
    try:
        corpus = open_corpus(path, images_only=True)
    except CorpusError:
        assert not {name.rpartition(".")[2].lower() for name, _ in members} & {*map(str.lower, IMAGES), "txt", "json"}
        return
    items = everything(corpus)
    assert len({item.figure_id for item in items}) == len(items)
    inside = corpus.account.inside
    assert inside.files == sum(inside.read.values()) + len(inside.unread) == len(members)

    key_of = {data: name.removeprefix("./").rpartition("/")[2].partition(".")[0] for name, data in members}
    ours = Counter()
    for item in items:
        if isinstance(item, Figure):
            said = [data for data in (item.image, *(caption.encode() for caption in item.captions)) if data is not None]
            assert len({key_of[data] for data in said if data in key_of}) <= 1
            ours[item.image, *item.captions] += 1
    # a sample of one image and one caption whose key does not come again is a figure
    samples = library(path)
    again = {key for (key, _), count in Counter((key, name.lower()) for key, name in names).items() if count > 1}
    again |= {key for key, count in Counter(sample["__key__"] for sample in samples).items() if count > 1}
    for sample in samples:
        fields = {name for name in sample if not name.startswith("__")}
        images = fields & {name.lower() for name in IMAGES}
        if len(images) == 1 and fields - images == {"txt"} and sample["__key__"] not in again:
            assert ours[sample[images.pop()], sample["txt"].decode()] == 1


@pytest.mark.parametrize("name", ["bio-courses", "roco-radiology"])
def test_a_real_corpus_in_an_archive_is_read_as_the_library_reads_it(tmp_path, shared_data, name):
    lines = (shared_data / name / "captions.jsonl").read_text(encoding="utf-8").split("\n")[:300]
    path = tmp_path / "s.tar"
    with wds.TarWriter(str(path)) as writer:
        for number, row in enumerate(json.loads(line) for line in lines if line):
            image = shared_data / name / row["image"]
            sample = {image.suffix[1:]: image.read_bytes(), "txt": row["caption"], "json": {"licence": row["licence"]}}
            writer.write({"__key__": f"{number:06d}", **sample})
    expected = [
        (sample["__key__"], next(sample[kind] for kind in ("jpg", "png") if kind in sample), sample["txt"].decode())
        for sample in library(path)
    ]
    found = figures(open_corpus(path)).values()
    assert [(figure.figure_id, figure.image, *figure.captions) for figure in found] == expected
    assert len(expected) > 200
