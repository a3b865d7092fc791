"""Which kind of corpus a source is taken for."""

from __future__ import annotations

import re
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from tests.corpora.conftest import picture
from tests.corpora.reading import captions, everything, figures

CSV = "image,caption\na.png,text\n"
LINES = '{"id": "x", "image": "images/a.png", "caption": "text"}\n'


def test_a_corpus_is_returned_as_it_is(write):
    corpus = open_corpus(write("t.csv", CSV))
    assert open_corpus(corpus) is corpus


@pytest.mark.parametrize("name", ["captions.jsonl", "metadata.jsonl", "captions.ndjson"])
def test_a_folder_with_a_table_that_describes_it_is_that_table(tmp_path, write, name):
    write("images/a.png", picture())
    write(name, LINES)
    corpus = open_corpus(tmp_path)
    assert corpus.kind == "table"
    assert captions(corpus) == {"x": ("text",)}
    assert figures(corpus)["x"].uri == "images/a.png"


def test_a_hugging_face_image_folder_is_read_with_its_splits(tmp_path, write):
    for split, suffix in (("train", "csv"), ("test", "jsonl")):
        write(f"{split}/1.png", picture())
        write(f"{split}/sub/2.png", picture())
        content = "file_name,text\n1.png,one\nsub/2.png,two\n"
        if suffix == "jsonl":
            content = '{"file_name": "1.png", "text": "one"}\n{"file_name": "sub/2.png", "text": "two"}\n'
        write(f"{split}/metadata.{suffix}", content)
    corpus = open_corpus(tmp_path)
    assert corpus.kind == "imagefolder"
    assert captions(corpus) == {
        "test/1.png": ("one",),
        "test/sub/2.png": ("two",),
        "train/1.png": ("one",),
        "train/sub/2.png": ("two",),
    }
    assert figures(corpus)["train/sub/2.png"].image == picture()


def test_ids_that_repeat_over_the_splits_of_an_image_folder_do_not_name_figures(tmp_path, write):
    for split in ("train", "test"):
        write(f"{split}/1.png", picture())
        write(f"{split}/metadata.csv", "id,file_name,text\n7,1.png,one\n")
    assert list(figures(open_corpus(tmp_path))) == ["test/1.png", "train/1.png"]


def test_captions_txt_of_flickr_is_a_table_and_another_captions_txt_is_a_caption(tmp_path, write):
    write("flickr/captions.txt", CSV)
    write("flickr/Images/a.png", picture())
    assert open_corpus(tmp_path / "flickr").kind == "table"
    assert captions(open_corpus(tmp_path / "flickr" / "captions.txt")) == {"a.png": ("text",)}
    write("plain/captions.txt", "An image, and its caption.")
    write("plain/captions.png", picture())
    assert captions(open_corpus(tmp_path / "plain")) == {"captions": ("An image, and its caption.",)}


def test_the_only_table_with_images_and_captions_in_a_folder_is_read(tmp_path, write):
    write("a.png", picture())
    write("MetaInfo.csv", CSV)
    write("statistics.csv", "name,count\nx,1\n")
    assert open_corpus(tmp_path).kind == "table"
    write("other.jsonl", LINES)
    with pytest.raises(CorpusError, match=r"several tables \(MetaInfo.csv, other.jsonl\); give the path of one"):
        open_corpus(tmp_path)


def test_a_table_that_describes_no_images_does_not_hide_the_pairs_beside_it(tmp_path, write):
    write("a.png", picture())
    write("a.txt", "text")
    write("metadata.csv", "title,year\nx,2020\n")
    pq.write_table(pa.table({"url": ["https://x"], "caption": ["c"]}), tmp_path / "00000.parquet")
    assert captions(open_corpus(tmp_path)) == {"a": ("text",)}


def test_parquet_files_below_a_folder_are_one_corpus(tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("test", "train"):
        pq.write_table(pa.table({"id": [name], "caption": ["c"]}), tmp_path / "data" / f"{name}.parquet")
    assert list(figures(open_corpus(tmp_path))) == ["test", "train"]
    assert list(figures(open_corpus(f"{tmp_path}/data/*.parquet"))) == ["test", "train"]


def test_several_tables_can_be_named_by_braces(tmp_path, write):
    for name in ("train", "test"):
        write(f"{name}.csv", f"image,caption\n{name}.png,text\n")
    items = everything(open_corpus(f"{tmp_path}/{{train,test}}.csv"))
    assert [item.figure_id for item in items] == ["train.png", "test.png"]


def test_what_is_not_there_or_of_no_kind_is_refused_with_the_kinds(tmp_path, write):
    with pytest.raises(CorpusError, match=r"no such file or folder; give a folder of images .* or \.tar shards"):
        open_corpus(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="no such file or folder"):
        open_corpus(f"{tmp_path}/*.tar")
    with pytest.raises(CorpusError, match="no such file or folder"):
        open_corpus("")
    with pytest.raises(CorpusError, match="is one image; give the folder"):
        open_corpus(write("a.png", "x"))
    for name in ("a.pdf", "a.txt", "noextension"):
        with pytest.raises(CorpusError, match="not a kind of corpus that can be read"):
            open_corpus(write(name, picture()))
    with pytest.raises(CorpusError, match="no such folder; give the folder that the table's image paths start from"):
        open_corpus(write("t.csv", CSV), image_root=tmp_path / "nowhere")


def test_options_for_tables_are_refused_where_there_is_no_table(tmp_path, write):
    write("a.png", picture())
    with pytest.raises(CorpusError, match="are for tables"):
        open_corpus(tmp_path, caption_columns=["text"])


def test_an_option_that_rows_or_a_corpus_of_ones_own_cannot_meet_is_refused(tmp_path, write):
    with pytest.raises(CorpusError, match="encoding: no option for rows of Python; leave it out"):
        open_corpus([{"image": None, "caption": "text"}], encoding="cp1252")
    write("a.png", picture())
    with pytest.raises(CorpusError, match="mentions, caption_columns: no option for a corpus of your own"):
        open_corpus(open_corpus(tmp_path), caption_columns="text", mentions=True)
    assert open_corpus(open_corpus(tmp_path)).kind == "folder"


def test_a_corpus_below_a_hidden_folder_or_beside_the_current_one_is_found(tmp_path, write, monkeypatch):
    for name in (".cache/x/deep/a.csv", "sibling/deep/a.csv"):
        write(name, "id,caption\n1,text\n")
    assert list(figures(open_corpus(tmp_path / ".cache" / "x"))) == ["1"]
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert list(figures(open_corpus("../sibling"))) == ["1"]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet", "t.tar"])
def test_a_source_that_vanishes_after_opening_is_an_error_that_names_it(write, name):
    path = write(name, CSV if name == "t.csv" else LINES)
    if name == "t.parquet":
        pq.write_table(pa.table({"caption": ["text"]}), path)
    if name == "t.tar":
        with tarfile.open(path, "w") as archive:
            archive.add(write("a.txt", "text"), "a.txt")
    corpus = open_corpus(path)
    path.unlink()
    with pytest.raises(CorpusError, match=re.escape(str(path))):
        everything(corpus)
