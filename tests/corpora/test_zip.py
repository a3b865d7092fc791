"""A zip archive of a folder is read like the folder, and refused in one sentence where it cannot be."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from tests.corpora.conftest import picture
from tests.corpora.reading import everything, figures, skips


def zipped(path: Path, files: list[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return path


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_gives_what_its_folder_gives(tmp_path, method):
    files = [(f"b/{n}.png", picture(colour)) for n, colour in enumerate(("red", "green"))]
    files += [("b/0.txt", b"of red"), ("b/1.json", b'{"caption": "of green", "age": 7}'), ("b/x.heic", b"")]
    files += [("a/.hidden", b""), ("__MACOSX/b/._0.png", b""), ("notes.docx", b"")]
    for name, content in files:
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(content)
    folder = open_corpus(tmp_path / "folder")
    archive = open_corpus(zipped(tmp_path / "a.ZIP", files, method))
    assert everything(archive, 1) == everything(folder, 1)
    assert (archive.account, archive.columns) == (folder.account, folder.columns)
    assert archive.fingerprint == folder.fingerprint


def test_names_that_are_utf_8_without_saying_so_and_those_of_windows_are_read(tmp_path):
    path = zipped(tmp_path / "a.zip", [("x\\Röntgen.png", picture()), ("x\\Röntgen.txt", b"one")])
    data = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        at = -1
        while (at := data.find(mark, at + 1)) >= 0:
            data[at + flags] &= ~0x08
    path.write_bytes(data)
    assert list(figures(open_corpus(path))) == ["x/Röntgen"]


def test_names_lead_nowhere_and_links_are_not_followed(tmp_path):
    files = [("../../up.png", picture()), ("/etc/up.txt", b"one"), (link("secret.png"), b"/etc/passwd")]
    corpus = open_corpus(zipped(tmp_path / "a.zip", files), images_only=True)
    assert skips(corpus) == {"secret.png": "image cannot be read"}
    assert corpus.account.read["image"] == 2


def test_a_member_that_is_damaged_or_too_large_is_one_skip(tmp_path, monkeypatch):
    files = [(f"{n}.png", picture(colour)) for n, colour in enumerate(("red", "green"))] + [("2.png", b"x" * 2000)]
    path = zipped(tmp_path / "a.zip", files, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(picture("green"), b"x" * len(picture("green"))))
    monkeypatch.setattr("retrieval.corpora.folder.MAX_BYTES", 1000)
    assert skips(open_corpus(path)) == {"1.png": "image cannot be read", "2.png": "image file is too large"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04 cut off", "the zip archive is damaged; write or download it again"),
        (b"", "the zip archive is damaged"),
    ],
)
def test_a_damaged_zip_is_refused(write, content, said):
    with pytest.raises(CorpusError, match=said):
        open_corpus(write("a.zip", content))


def test_an_encrypted_zip_and_one_with_a_name_that_comes_twice_are_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", [("a.png", picture())])
    data = bytearray(path.read_bytes())
    data[data.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(CorpusError, match="encrypted; unpack it first, and give the folder"):
        open_corpus(path)
    data = zipped(path, [("a.png", picture()), ("b.png", picture())]).read_bytes()
    path.write_bytes(data.replace(b"b.png", b"a.png"))
    with pytest.raises(CorpusError, match="several files in the zip archive have one name"):
        open_corpus(path)
