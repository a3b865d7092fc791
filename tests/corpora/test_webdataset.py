"""WebDataset shards, whole and broken."""

from __future__ import annotations

import gzip
import json
import tarfile

import pytest

from retrieval.corpora import open_corpus
from retrieval.corpora.tar_survey import list_contents
from retrieval.errors import CorpusError
from tests.corpora.conftest import picture
from tests.corpora.reading import captions, everything, figures, skips
from tests.corpora.tar_files import pairs, tar


@pytest.mark.parametrize("name", ["s.tar", "s.tar.gz", "s.tgz"])
def test_files_of_one_stem_are_one_figure(write, name):
    members = pairs("000", "001") | {"001.json": json.dumps({"pmcid": "PMC1", "licence": "CC0", "caption": "of 001"})}
    data = tar(members)
    corpus = open_corpus(write(name, data if name == "s.tar" else gzip.compress(data)))
    assert (corpus.kind, corpus.columns) == ("webdataset", {"licence": "string"})
    found = figures(corpus)
    assert {figure_id: figure.captions for figure_id, figure in found.items()} == {
        "000": ("of 000",),
        "001": ("of 001",),
    }
    assert found["000"].image == picture()
    assert found["000"].uri == f"{name}/000.png"
    assert (found["001"].article_id, found["001"].metadata, found["001"].extra) == ("PMC1", {"licence": "CC0"}, {})


def test_members_that_are_not_adjacent_are_put_together(write):
    shard = write("s.tar", tar({"b.txt": "of b", "a.png": picture(), "b.png": picture(), "a.txt": "of a"}))
    assert captions(open_corpus(shard)) == {"b": ("of b",), "a": ("of a",)}


def test_equal_keys_of_different_shards_are_different_figures(tmp_path, write):
    for name in ("shard-000", "shard-001"):
        write(f"{name}.tar", tar({"0.jpg": picture(kind="JPEG"), "0.caption": name}))
    assert captions(open_corpus(tmp_path)) == {
        "shard-000/0": ("shard-000",),
        "shard-001/0": ("shard-001",),
    }


def test_shards_of_equal_names_in_different_folders_are_told_apart(tmp_path, write):
    for name in ("train/0.tar", "test/0.tar"):
        write(name, tar(pairs("k")))
    assert list(figures(open_corpus(tmp_path))) == ["test/0/k", "train/0/k"]


def test_an_id_that_could_come_from_two_shards_keeps_their_suffixes(tmp_path, write):
    write("x.tar", tar(pairs("y/z")))
    write("x/y.tar", tar(pairs("z")))
    corpus = open_corpus(f"{tmp_path}/{{x,x/y}}.tar")
    assert list(figures(corpus)) == ["x.tar/y/z", "x/y.tar/z"]


def test_a_split_never_spans_two_shards(tmp_path, write):
    for name, keys in (("0", "abc"), ("1", ""), ("2", "de")):
        write(f"{name}.tar", tar(pairs(*keys)))
    corpus = open_corpus(tmp_path)
    splits = corpus.split(2)
    assert [(s.number, s.start, s.stop, s.source) for s in splits] == [
        (0, 0, 2, "0.tar"),
        (1, 2, 3, "0.tar"),
        (2, 0, 2, "2.tar"),
    ]
    assert [item.figure_id for item in everything(corpus, 2)] == ["0/a", "0/b", "0/c", "2/d", "2/e"]


def test_braces_and_globs_name_shards(tmp_path, write):
    for number in range(3):
        write(f"s-{number:03d}.tar", tar(pairs(str(number))))
    assert len(figures(open_corpus(f"{tmp_path}/s-{{000..002}}.tar"))) == 3
    assert len(figures(open_corpus(f"{tmp_path}/s-00{{2,0}}.tar"))) == 2
    assert len(figures(open_corpus(f"{tmp_path}/*.tar"))) == 3
    with pytest.raises(CorpusError, match=r"s-003\.tar is missing; correct the range or restore the file"):
        open_corpus(f"{tmp_path}/s-{{000..003}}.tar")


def test_a_path_with_braces_in_its_name_is_itself(tmp_path, write):
    write("{0..1}/[a].tar", tar(pairs("k")))
    assert list(figures(open_corpus(tmp_path / "{0..1}" / "[a].tar"))) == ["k"]


def test_names_are_cut_at_the_first_dot(write):
    shard = write("s.tar", tar({"v1.0/a.png": picture(), "v1.0/a.seg.png": b"mask", "v1.0/a.txt": "text"}))
    found = figures(open_corpus(shard))
    assert list(found) == ["v1.0/a"]
    assert found["v1.0/a"].image == picture()


def test_names_with_dots_that_leave_nothing_known_are_cut_at_the_last_dot(write):
    names = ("pone.0000217.g001", "pone.0000217.g002")
    assert captions(open_corpus(write("s.tar", tar(pairs(*names))))) == {name: (f"of {name}",) for name in names}


def test_long_unicode_and_hidden_names(write):
    long = "größe µm/" + "x" * 200
    members = pairs(long) | {"._a.png": b"", "__MACOSX/b.png": b"", "README": "no suffix", "c.npy": b"numbers"}
    for kind in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        assert list(figures(open_corpus(write(f"{kind}.tar", tar(members, format=kind))))) == [long]


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("folder", ["", "short/", "a folder/" * 13, "µ/"])
def test_the_quick_listing_of_an_archive_agrees_with_tarfile(write, kind, folder):
    path = write("s.tar", tar({f"{folder}{n}.txt": "x" * 300 * n for n in range(6)}, format=kind))
    with tarfile.open(path) as archive:
        expected = [(member.name, member.offset_data, member.size) for member in archive]
    listed = list_contents(path).samples
    assert [(m.name, m.offset, m.size) for sample in listed for m in sample.members] == expected


def test_a_second_name_of_a_file_is_read_too(tmp_path, write):
    write("folder/a.png", picture())
    (tmp_path / "folder" / "b.png").hardlink_to(tmp_path / "folder" / "a.png")
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        for name in ("a.png", "b.png"):
            archive.add(tmp_path / "folder" / name, name)
    found = figures(open_corpus(tmp_path / "s.tar"))
    assert found["a"].image == found["b"].image == picture()


@pytest.mark.parametrize("packed", [False, True])
def test_of_a_truncated_shard_the_whole_figures_are_read_and_the_rest_is_one_skip(write, packed):
    members = {}
    for n in range(20):
        members |= {f"{n}.png": picture() + bytes(2000), f"{n}.txt": f"of {n}"}
    whole = tar(members)
    half = gzip.compress(whole, 0)[: len(whole) // 2] if packed else whole[: len(whole) // 2]
    corpus = open_corpus(write("s.tar.gz" if packed else "s.tar", half))
    items = everything(corpus, 3)
    assert len(items) == sum(split.stop - split.start for split in corpus.split(3))
    assert 5 < len(items) < 15
    *whole_ones, rest = items
    assert [figure.captions for figure in whole_ones] == [(f"of {n}",) for n in range(len(whole_ones))]
    assert rest.reason == "archive is truncated"


def test_wherever_a_shard_is_cut_no_figure_is_half_read(write):
    whole = tar(pairs("a", "b", "c"))
    for length in range(2048, 3 * 2048 + 512, 128):
        corpus = open_corpus(write(f"{length}.tar", whole[:length]))
        *read, rest = everything(corpus)
        assert len(read) + 1 == corpus.split(1000)[-1].stop
        assert [figure.captions for figure in read] == [("of a",), ("of b",), ("of c",)][: len(read)]
        assert rest.reason == "archive is truncated"


def test_an_archive_without_its_last_blocks_is_counted_as_truncated(write):
    whole = tar(pairs("a", "b"))
    items = everything(open_corpus(write("s.tar", whole[: 4 * 1024])))
    assert [item.figure_id for item in items] == ["a", "b", "s.tar"]


def test_a_damaged_header_in_the_middle_ends_the_shard_with_a_skip(write):
    data = bytearray(tar(pairs("a", "b", "c")))
    data[2 * 1024 : 2 * 1024 + 100] = b"\xff" * 100
    corpus = open_corpus(write("s.tar", bytes(data)))
    assert [item.figure_id for item in everything(corpus)] == ["a", "s.tar"]
    assert skips(corpus) == {"s.tar": "archive is damaged"}


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "archive is truncated"), (b"<html>" * 500, "archive is damaged")]
)
def test_a_shard_that_is_no_archive_is_one_skip_between_the_others(tmp_path, write, content, reason):
    write("0.tar", tar(pairs("a")))
    write("1.tar", content)
    write("2.tar", tar({}))
    write("3.tar", tar(pairs("b")))
    corpus = open_corpus(tmp_path)
    assert [item.figure_id for item in everything(corpus)] == ["0/a", "1.tar", "3/b"]
    assert skips(corpus) == {"1.tar": reason}


@pytest.mark.parametrize("content", [tar({}), tar({"README.md": "text"}), b"", b"<html>" * 500, b"\x1f\x8bno"])
def test_archives_without_any_figure_are_refused(write, content):
    for name in ("s.tar", "s.tar.gz"):
        with pytest.raises(CorpusError, match="no images and no captions in"):
            open_corpus(write(name, content))


def test_broken_sidecars_are_skipped_with_the_reason(write):
    members = {"a.png": picture(), "a.json": "{", "b.png": picture(), "b.txt": b"\xff", "c.json": "{}", "d.png": b""}
    assert skips(open_corpus(write("s.tar", tar(members)))) == {
        "s.tar/a.png": "sidecar is not valid JSON",
        "s.tar/b.png": "caption is not UTF-8 text",
        "s.tar/c.json": "neither image nor caption",
    }


def test_images_beside_json_with_texts_under_other_keys_ask_for_the_key(write):
    members = {f"{n}.png": picture() for n in range(2)}
    members |= {f"{n}.json": json.dumps({"befund": {"text": f"shadow number {n} there"}}).encode() for n in range(2)}
    path = write("a.tar", tar(members))
    said = r"2 images without any caption.*texts under 'befund' of JSON.*--caption-column"
    with pytest.raises(CorpusError, match=said):
        open_corpus(path)
    assert captions(open_corpus(path, caption_columns="befund")) == {
        "0": ("shadow number 0 there",),
        "1": ("shadow number 1 there",),
    }
    assert set(captions(open_corpus(path, images_only=True)).values()) == {()}


def test_images_beside_documents_of_their_keys_are_refused(write):
    path = write("a.tar", tar({"0.png": picture(), "0.yaml": b"caption: a red heart"}))
    with pytest.raises(CorpusError, match=r"1 image without any caption.*1 unused \.yaml file.*--images-only"):
        open_corpus(path)
