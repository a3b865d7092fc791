"""Every file below a folder that a table describes is an image of it, the table, or named with its reason."""

from __future__ import annotations

import gzip
import json
import os

import pytest

from retrieval.corpora import open_corpus
from retrieval.corpora.tables.table_account import OTHER, UNNAMED, UNREADABLE
from retrieval.errors import CorpusError
from retrieval.types import Account
from tests.corpora.conftest import picture
from tests.corpora.reading import captions

ROWS = [("a.png", "one"), ("b.png", "two"), ("a.png", "three"), ("gone.png", "four")]


@pytest.fixture(params=["t.csv", "captions.json", "metadata.jsonl", "t.csv.gz"])
def folder(request, write):
    objects = [dict(zip(("file_name", "caption"), row, strict=True)) for row in ROWS]
    text = {
        "t.csv": "file_name,caption\n" + "".join(",".join(row) + "\n" for row in ROWS),
        "captions.json": json.dumps(objects),
        "metadata.jsonl": "\n".join(map(json.dumps, objects)),
    }
    data = text.get(request.param)
    content = data.encode() if data else gzip.compress(text["t.csv"].encode())
    return write(f"data/{request.param}", content).parent


def balanced(account: Account, folder) -> dict[str, str]:
    """The unread files, of an account that counts every file there is."""
    seen = [name for _, _, names in os.walk(folder) for name in names]
    assert account.files == len(seen) == sum(account.read.values()) + len(account.unread)
    return {skip.uri: skip.reason for skip in account.unread}


@pytest.mark.parametrize("place", ["", "images/", "sub/deep/"])
def test_images_tables_and_strays_balance(folder, write, place):
    for name in ("a.png", "b.png", "stray.png"):
        write(f"data/{place}{name}", picture())
    write("data/notes.docx", "x")
    write("data/other.csv", "n,m\n1,2\n")
    write("data/broken.parquet", "x")
    write("data/.hidden", "x")
    corpus = open_corpus(folder)
    left = balanced(corpus.account, folder)
    assert left.pop("broken.parquet") == UNREADABLE
    assert left.pop(f"{place}stray.png") == UNNAMED
    assert list(left) == ["notes.docx", "other.csv"]
    assert corpus.account.read["image"] == 2
    assert corpus.account.read["table"] == 1


def test_images_that_are_found_otherwise_count_as_used(write):
    names = [f"IMG_{n}" for n in range(6)]
    for name in names:
        write(f"data/photos/{name}.JPG", picture())
    table = write("data/list.csv", "file,caption\n" + "".join(f"/elsewhere/photos/{name}.jpg,c\n" for name in names))
    corpus = open_corpus(table.parent)
    assert balanced(corpus.account, table.parent) == {}
    assert corpus.account.read == {"image": 6, "table": 1}


def test_a_second_table_is_named(write):
    write("data/a.png", picture())
    path = write("data/metadata.csv", "file_name,caption\na.png,c\n")
    write("data/second.csv", "file_name,caption\na.png,d\n")
    assert balanced(open_corpus(path.parent).account, path.parent) == {"second.csv": OTHER}


def test_a_table_by_itself_is_one_file_and_says_what_was_decided(write):
    for name in "ab":
        write(f"{name}.png", picture())
    path = write("t.csv", "Datei,Befund\na.png,a red heart there\nb.png,a blue lung here\n")
    account = open_corpus(path).account
    assert (account.files, account.read, account.unread) == (1, {"table": 1}, ())
    assert account.notes[0] == "t.csv: column 'Datei' names the images, as files are there that are called so"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "captions.csv",
            "A,B,C\n1.png,a heart,of lung\n2.png,red brain,u v w\n",
            r"columns are 'A', 'B', 'C'.*look like captions",
        ),
        ("liste.csv", "Größe;B\n1.png;grün\n".encode("cp1252"), "names cannot be read .*--encoding cp1252"),
        ("captions.csv.gz", b"no gzip", "compressed table is damaged"),
        ("t.parquet", b"PAR1", "not a readable Parquet file"),
        ("t.xlsx", b"PK", "the workbook cannot be read"),
    ],
)
def test_a_table_that_is_not_understood_is_refused_beside_images_in_its_own_words(write, name, content, said):
    for n in range(5):
        write(f"data/{n}.png", picture())
    path = write(f"data/{name}", content)
    with pytest.raises(CorpusError, match=rf"5 images without any caption.*{name}.*{said}.*--images-only"):
        open_corpus(path.parent)
    account = open_corpus(path.parent, images_only=True).account
    assert list(balanced(account, path.parent)) == [name]


def test_columns_and_encoding_may_be_named_for_a_folder(write):
    for name in "ab":
        write(f"data/{name}.png", picture())
    path = write(
        "data/liste.csv",
        "Größe;Übersicht;Notiz\na.png;grün ist es;und da ist mehr\nb.png;x y z;u v w\n".encode("cp1252"),
    )
    corpus = open_corpus(path.parent, encoding="cp1252", image_column="Größe", caption_columns="Übersicht")
    assert captions(corpus) == {"a.png": ("grün ist es",), "b.png": ("x y z",)}
    with pytest.raises(CorpusError, match="there is no column 'Bild'; its columns are 'Größe'"):
        open_corpus(path.parent, encoding="cp1252", image_column="Bild")
