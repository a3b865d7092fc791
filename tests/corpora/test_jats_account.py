"""The account of articles balances: every file is taken, or named with the reason."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from retrieval.types import Account
from tests.corpora.conftest import picture
from tests.corpora.jats import fig, jats, packed, put, zipped

BODY = (
    fig("F1", "Of F1.", "f1")
    + fig("F2", "Of F2.", "f2")
    + '<table-wrap><graphic xlink:href="t1.jpg"/></table-wrap>'
    + '<supplementary-material xlink:href="s1.docx"/><supplementary-material><media xlink:href="s2.mp4"/>'
    + "</supplementary-material>"
)
META = '<article-id pub-id-type="pmc">{}</article-id><self-uri content-type="pmc-pdf" xlink:href="paper.pdf"/>'


def package(number: int) -> dict[str, str | bytes]:
    files = {name: picture() for name in ("f1.jpg", "f1.gif", "t1.jpg", "stray.png")}
    files |= {name: b"no" for name in ("f2.pdf", "paper.pdf", "s1.docx", "s2.mp4", "note.heic", "Thumbs.xyz")}
    files |= {"a.nxml": jats(BODY, META.format(number)), "a.json": "{}", "tei.xml": "<TEI/>", "data.xml": "<data/>"}
    return {f"PMC{number}/{name}": content for name, content in files.items()}


READ = {"article": 1, "article PDF": 1, "image": 1, "record": 1, "table or formula image": 1, "thumbnail": 1}
UNREAD = {
    "Thumbs.xyz": "kind of file is not read",
    "data.xml": "XML of no article",
    "f2.pdf": "PDF: figures are not taken out of it",
    "note.heic": "HEIC image: convert it to PNG or JPEG",
    "s1.docx": "supplement of an article",
    "s2.mp4": "supplement of an article",
    "stray.png": "image that nothing refers to",
    "tei.xml": "TEI, which is not JATS",
}


def unread(account: Account) -> dict[str, str]:
    return {skip.uri: skip.reason for skip in account.unread}


def balanced(source: Path, account: Account) -> None:
    seen = sum(len(names) for _, _, names in os.walk(source))
    assert account.files == seen == sum(account.read.values()) + len(account.unread)
    if account.inside is not None:
        assert account.inside.files == sum(account.inside.read.values()) + len(account.inside.unread)


def test_every_file_of_a_package_is_taken_or_named(tmp_path):
    put(tmp_path, package(1) | {".DS_Store": b"", "PMC1/.hidden/x.nxml": b"", "README": "no", "more.zip": b"no"})
    put(tmp_path, {"metadata/PMC9.json": "{}", "PMC1/deep/er/notes.md": "no"})
    os.mkfifo(tmp_path / "PMC1" / "pipe.zip")
    (tmp_path / "PMC1" / "f9.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "gone.tar.gz").symlink_to(tmp_path / "nowhere")
    account = open_corpus(tmp_path).account
    balanced(tmp_path, account)
    assert account.read == READ | {"archive": 1, "hidden file": 2}
    assert unread(account) == {f"PMC1/{name}": reason for name, reason in UNREAD.items()} | {
        "PMC1/deep/er/notes.md": "text of no image of this name",
        "PMC1/f9.jpg": "not a regular file",
        "PMC1/pipe.zip": "not a regular file",
        "README": "kind is not known, its name has no suffix",
        "gone.tar.gz": "not a regular file",
        "metadata/PMC9.json": "JSON of no image of this name",
    }


@pytest.mark.parametrize(("name", "pack"), [("PMC1.tar.gz", packed), ("PMC1.zip", zipped)])
def test_every_member_of_an_archive_is_taken_or_named(tmp_path, name, pack):
    put(tmp_path, {name: pack(package(1) | {"outside.txt": "no", "PMC1/.x": ""}), "b.docx": "no"})
    account = open_corpus(tmp_path).account
    balanced(tmp_path, account)
    assert (account.read, unread(account).keys()) == ({"archive": 1}, {"b.docx"})
    assert account.inside is not None
    assert account.inside.read == READ | {"hidden file": 1}
    assert unread(account.inside) == {f"{name}/PMC1/{file}": reason for file, reason in UNREAD.items()} | {
        f"{name}/outside.txt": "text of no image of this name"
    }
    assert open_corpus(tmp_path / name).account.inside == account.inside


def test_records_in_a_folder_of_their_own_and_older_versions_have_their_roles(tmp_path):
    old = {name.replace("PMC1/", "pmc/PMC1.1/"): content for name, content in package(1).items()}
    new = {name.replace("PMC1/", "pmc/PMC1.2/"): content for name, content in package(1).items()}
    new.pop("pmc/PMC1.2/a.json")
    put(tmp_path, old | new | {"pmc/metadata/a.json": '{"version": 2}'})
    account = open_corpus(tmp_path).account
    balanced(tmp_path, account)
    assert account.read == READ | {"superseded file": 6}


def test_an_archive_beside_an_article_is_told(tmp_path):
    put(tmp_path, package(1) | {"PMC1/data.tar.gz": packed({"x": b"1"})})
    account = open_corpus(tmp_path).account
    balanced(tmp_path, account)
    assert unread(account)["PMC1/data.tar.gz"] == "archive beside an article: if it holds articles, give its own path"


def test_an_article_by_its_path_accounts_for_itself_and_its_images(tmp_path):
    put(tmp_path, package(1))
    account = open_corpus(tmp_path / "PMC1" / "a.nxml").account
    assert (account.files, account.read, account.unread) == (6, READ, ())


def test_a_refusal_carries_the_account(tmp_path):
    put(tmp_path, {"a.nxml": jats("<p>None.</p>"), "x.docx": "no"})
    with pytest.raises(CorpusError, match="no article here has figures") as refused:
        open_corpus(tmp_path)
    assert refused.value.account is not None
    balanced(tmp_path, refused.value.account)


def test_links_in_archives_are_named(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        data = jats(BODY).encode()
        info = tarfile.TarInfo("PMC1/a.nxml")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("PMC1/f1.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    put(tmp_path, {"PMC1.tar": buffer.getvalue()})
    inside = open_corpus(tmp_path).account.inside
    assert inside is not None
    assert unread(inside) == {"PMC1.tar/PMC1/f1.jpg": "link leads to no file in the archive"}


def test_the_account_of_real_articles_balances(shared_data):
    for name in ("jats-pmc-style", "jats-xml-only"):
        corpus = open_corpus(shared_data / "raw-formats" / name)
        balanced(shared_data / "raw-formats" / name, corpus.account)
        assert corpus.account.unread == ()
