"""Archives of every kind that writers and shells make: what lies in them and where."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import tarfile

import pyarrow as pa
import pytest

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from tests.corpora.conftest import picture
from tests.corpora.reading import captions, everything, figures, skips
from tests.corpora.tar_files import pairs, tar

WHOLE = tar(pairs("a", "b"))
METHODS = {
    "gz": gzip.compress,
    "bz2": lambda data: bz2.compress(data, 1),
    "xz": lzma.compress,
    "zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}


@pytest.mark.parametrize("name", ["s.tar", "s.tgz", "s.tar.bz2", "s.txz", "s.tar.zst"])
@pytest.mark.parametrize("method", METHODS)
def test_an_archive_is_unpacked_by_what_its_bytes_say(write, name, method):
    corpus = open_corpus(write(name, METHODS[method](WHOLE)))
    assert captions(corpus) == {"a": ("of a",), "b": ("of b",)}
    # a split in the middle, then one before it
    first, second = corpus.split(1)
    assert [item.figure_id for split in (second, first) for item in corpus.read(split)] == ["b", "a"]


def test_an_archive_that_is_not_compressed_may_be_called_so(write):
    assert list(captions(open_corpus(write("s.tar.gz", WHOLE)))) == ["a", "b"]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_of_a_compressed_archive_that_is_cut_off_whole_figures_are_read(write, method):
    members = {}
    for n in range(40):
        members |= {f"{n}.png": picture() + os.urandom(20_000), f"{n}.txt": f"of {n}"}
    data = METHODS[method](tar(members))
    *read, rest = everything(open_corpus(write("s.tar", data[: len(data) * 3 // 4])))
    assert rest.reason == "archive is truncated"
    assert [figure.captions for figure in read] == [(f"of {n}",) for n in range(len(read))]
    assert len(read) > 20


@pytest.mark.parametrize("between", [b"", bytes(512 * 7)])
def test_archives_that_follow_each_other_in_one_file_are_all_read(write, between):
    data = WHOLE + between + tar(pairs("c"), format=tarfile.GNU_FORMAT) + tar({"a.png": picture("blue"), "a.txt": "2"})
    found = figures(open_corpus(write("s.tar", data)))
    assert {key: figure.captions for key, figure in found.items()} == {
        "a": ("of a",),
        "b": ("of b",),
        "c": ("of c",),
        "a/2": ("2",),
    }
    assert found["a/2"].image == picture("blue")


@pytest.mark.parametrize("garbage", [b"\n", b"garbage" * 200, bytes(5000) + b"x", WHOLE[:700]])
def test_what_follows_the_end_and_is_no_archive_is_a_skip(write, garbage):
    corpus = open_corpus(write("s.tar", WHOLE + garbage))
    assert [item.figure_id for item in everything(corpus)] == ["a", "b", "s.tar"]
    assert set(skips(corpus).values()) <= {"bytes after the end of the archive are not read", "archive is truncated"}


def test_what_follows_the_end_of_the_compressed_data_is_a_skip(write):
    corpus = open_corpus(write("s.tar.gz", gzip.compress(WHOLE) + b"garbage"))
    assert skips(corpus) == {"s.tar.gz": "bytes after the end of the archive are not read"}


@pytest.mark.parametrize("options", ["gnu", "pax", "ustar", "gnu -S", "pax -S"])
def test_what_a_shell_archives_is_read(tmp_path, write, options):
    for key in ("a", "deep/er.v1/b", "ü c"):
        write(f"in/{key}.png", picture() + key.encode())
        write(f"in/{key}.txt", f"of {key}")
    os.link(tmp_path / "in/a.png", tmp_path / "in/hard.png")
    os.symlink("../a.png", tmp_path / "in/deep/soft.png")
    os.symlink("/etc/hostname", tmp_path / "in/outside.png")
    os.mkfifo(tmp_path / "in/pipe.png")
    with open(write("in/holes.png", picture()), "r+b") as file:
        file.seek(1 << 20)
        file.write(b"end")
        file.truncate(3 << 20)
    # links before what they lead to
    command = [
        "tar",
        *f"--format={options}".split(),
        "--sort=name",
        "-cf",
        "s.tar",
        "-C",
        "in",
        "./deep",
        "./hard.png",
        ".",
    ]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    corpus = open_corpus(tmp_path / "s.tar")
    found = {figure.uri: figure.image for figure in everything(corpus) if figure.image}
    expected = {
        f"s.tar/./{name}": (tmp_path / "in" / name).read_bytes()
        for name in ("a.png", "deep/er.v1/b.png", "ü c.png", "hard.png", "deep/soft.png", "holes.png")
    }
    assert expected.items() <= found.items()
    named = {skip.uri.removeprefix("s.tar/./"): skip.reason for skip in corpus.account.inside.unread}
    assert named.pop("outside.png") == "link leads to no file in the archive"
    assert named.pop("pipe.png") == "no regular file"
    assert named == {}


def test_long_names_in_the_middle_do_not_end_the_quick_listing_wrongly(write):
    names = ["a", "x" * 150, "b", "µ" * 80, "c"]
    for kind in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        assert list(captions(open_corpus(write("s.tar", tar(pairs(*names), format=kind))))) == names


IMPOSSIBLE = [
    b"\x80" + b"\xff" * 11,
    b"\xff" * 11 + b"\xfe",
    b"\x80" + bytes(6) + b"\x7f" + b"\xff" * 4,
    b"-0000001000\0",
    b"         -1\0",
    b"77777777777\0",
    b"1_0        \0",
    b"9999999999\0\0",
]


@pytest.mark.parametrize("kind", [b"0", b"x", b"L", b"S", b"1"])
@pytest.mark.parametrize("size", IMPOSSIBLE)
def test_a_header_of_impossible_length_is_one_skip(write, size, kind):
    data = bytearray(tar(pairs("a", "b", "c")))
    header = 4 * 1024  # of c.png
    data[header + 124 : header + 136] = size
    data[header + 156 : header + 157] = kind
    data[header + 148 : header + 156] = b" " * 8
    data[header + 148 : header + 156] = b"%06o\0 " % sum(data[header : header + 512])
    write("0.tar", bytes(data))
    write("1.tar", tar(pairs("d")))
    corpus = open_corpus(str(write("2.tar", WHOLE).parent))
    items = everything(corpus)
    assert [item.figure_id for item in items][:2] == ["0/a", "0/b"]
    assert [item.figure_id for item in items][-3:] == ["1/d", "2/a", "2/b"]
    assert set(skips(corpus).values()) <= {"archive is damaged", "archive is truncated"}


def test_an_archive_of_nothing_but_damage_says_so(write):
    with pytest.raises(
        CorpusError, match=r"no images and no captions in 1 archives, only s.tar \(archive is damaged\)"
    ):
        open_corpus(write("s.tar", b"<html>" * 500))
    with pytest.raises(CorpusError, match=r"only s.tar/a.mp4 \(film: its frames are not read\)"):
        open_corpus(write("s.tar", tar({"a.mp4": "video"})))


def test_a_header_that_promises_gigabytes_of_name_takes_no_memory(write):
    info = tarfile.TarInfo("long")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    data = tar(pairs("a"))[: 2 * 1024] + info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)
    assert skips(open_corpus(write("s.tar.gz", gzip.compress(data)))) == {"s.tar.gz": "archive is damaged"}


def test_a_file_of_more_than_a_gigabyte_is_a_skip(write):
    info = tarfile.TarInfo("b.png")
    info.size = (1 << 30) + 1
    path = write("s.tar", tar(pairs("a"))[: 2 * 1024] + info.tobuf())
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size + info.size + 2048)  # a hole
        file.seek(0, io.SEEK_END)
    assert skips(open_corpus(path)) == {"s.tar/b.png": "image is too large"}
