"""What is taken for a published corpus and what is not: telling files and telling keys, both."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from tests.corpora.conftest import picture
from tests.corpora.golden import articles, photographs, radiographs
from tests.corpora.reading import captions, everything, figures

PICTURES = [picture(colour, "JPEG") for colour in ("red", "green", "blue")]


# a file of an ordinary folder that is called as one of a published corpus
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("captions.txt", "A scan\tof something"),
        ("licences.txt", "ROCO_ID,PMC_ID,CC\n"),
        ("test/radiology/captions.txt", "notes"),
        ("train_captions.csv", "name,text\na,b\n"),
        ("train.json", '[{"question": "why?"}]'),
        ("train.json", '{"img_name": 1}'),
        ("test.json", "[[1, 2"),
        ("dataset_mine.json", '{"images": [{"filename": "a.png"}]}'),
        ("annotations/captions.json", '{"images": [], "annotations": []}'),
        ("annotations/captions_val2014.json", "[1]"),
        ("results.token", "a.png\tno number"),
        ("articles.jsonl", '{"pmc": "1", "figures": 3}\n'),
        ("papers.jsonl", '{"pdf_hash": "1", "text": "t"}\n'),
        ("lines.jsonl", "\x00\xff{"),
        ("ecgen-radiology/1.xml", "<report/>"),
        ("indiana_reports.csv", "uid,findings,impression\n1,a,b\n"),
        ("mimic-cxr-2.0.0-split.csv", "dicom_id,study_id,split\n1,2,test\n"),
        ("00000_stats.json", '{"count": 1}'),
        ("img_emb/notes.txt", "no vectors"),
    ],
)
def test_a_file_with_a_telling_name_and_other_content_does_not_hide_the_pairs_of_a_folder(
    tmp_path, write, name, content
):
    write("a.png", picture())
    write("a.txt", "text")
    write(name, content)
    assert figures_with_image(tmp_path) == {"a": ("text",)}


def figures_with_image(folder):
    corpus = open_corpus(folder)
    assert corpus.kind == "folder"
    return {item.figure_id: item.captions for item in everything(corpus) if getattr(item, "image", None)}


def test_a_published_corpus_deep_in_a_folder_does_not_make_the_folder_one(tmp_path, write):
    photographs.coco(tmp_path / "others" / "coco", PICTURES)
    write("captions.jsonl", '{"id": "x", "image": "a.png", "caption": "text"}\n')
    write("a.png", picture())
    corpus = open_corpus(tmp_path)
    assert (corpus.kind, captions(corpus)) == ("table", {"x": ("text",)})


def test_who_names_columns_means_a_table(tmp_path):
    articles.rocov2(tmp_path, PICTURES)
    corpus = open_corpus(tmp_path / "train_captions.csv", caption_columns=["Caption"])
    assert (corpus.kind, captions(corpus)) == ("table", {"ROCOv2_2023_train_000000": ("Caption, 0",)})


def test_a_file_of_a_published_corpus_may_be_named_itself(tmp_path):
    articles.rocov2(tmp_path / "rocov2", PICTURES)
    articles.slake(tmp_path / "slake", PICTURES)
    photographs.karpathy(tmp_path / "karpathy", PICTURES)
    radiographs.openi_tables(tmp_path / "openi", PICTURES)
    assert list(figures(open_corpus(tmp_path / "rocov2" / "train_captions.csv"))) == ["ROCOv2_2023_train_000000"]
    assert list(figures(open_corpus(tmp_path / "slake" / "train.json"))) == ["xmlab0"]
    assert open_corpus(tmp_path / "karpathy" / "dataset_coco.json").kind == "karpathy"
    assert open_corpus(tmp_path / "openi" / "indiana_reports.csv").kind == "openi"


def test_several_sets_of_captions_in_one_folder_are_refused_with_the_way_out(tmp_path):
    photographs.karpathy(tmp_path, PICTURES)
    data = (tmp_path / "dataset_coco.json").read_bytes()
    (tmp_path / "dataset_flickr8k.json").write_bytes(data)
    with pytest.raises(
        CorpusError, match=r"\(dataset_coco.json, dataset_flickr8k.json\); give the path of one of them"
    ):
        open_corpus(tmp_path)


def test_tables_for_splits_that_name_their_splits_themselves_are_left_to_the_user(tmp_path, write):
    for split in ("train", "test"):
        write(f"{split}.jsonl", json.dumps({"image": "a.png", "caption": "c", "split": split}))
    with pytest.raises(CorpusError, match="holds several tables"):
        open_corpus(tmp_path)


def test_embeddings_of_clip_retrieval_are_not_encoded_again(tmp_path, write):
    (tmp_path / "img_emb").mkdir()
    np.save(tmp_path / "img_emb" / "img_emb_0.npy", np.zeros((1, 4), np.float16))
    write("metadata/metadata_0.parquet", "")
    with pytest.raises(CorpusError, match=rf"retrieval vectors import {re.escape(str(tmp_path))} INDEX --encoder NAME"):
        open_corpus(tmp_path)


def test_embeddings_beside_their_figures_do_not_hide_the_figures(tmp_path, write):
    (tmp_path / "img_emb").mkdir()
    np.save(tmp_path / "img_emb" / "img_emb_0.npy", np.zeros((1, 4), np.float16))
    write("a.png", picture())
    write("a.txt", "text")
    assert captions(open_corpus(tmp_path)) == {"a": ("text",)}


def test_a_table_that_describes_the_folder_goes_before_those_of_splits(tmp_path, write):
    for name in ("train", "test", "metadata"):
        write(f"{name}.csv", f"file_name,text\na.png,of {name}\n")
    write("a.png", picture())
    assert captions(open_corpus(tmp_path)) == {"a.png": ("of metadata",)}


def test_captions_written_as_a_list_are_captions(write, tmp_path):
    write("MetaInfo.csv", "File name,Captions\na.png,\"['one', 'two']\"\nb.png,\"['three']\"\n")
    for name in ("a", "b"):
        write(f"images/{name}.png", picture())
    assert captions(open_corpus(tmp_path)) == {"a.png": ("one", "two"), "b.png": ("three",)}


def test_an_image_root_is_refused_where_the_layout_says_where_images_are(tmp_path):
    articles.roco(tmp_path, PICTURES)
    with pytest.raises(CorpusError, match="roco has its images in folders of its own; leave image_root out"):
        open_corpus(tmp_path, image_root=tmp_path)


def test_links_among_the_folders_lead_in_no_circles(tmp_path):
    articles.roco(tmp_path, PICTURES)
    (tmp_path / "data" / "data").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "test" / "radiology" / "images" / "up").symlink_to(tmp_path)
    assert len({item.figure_id for item in everything(open_corpus(tmp_path)) if getattr(item, "image", None)}) == 3


def test_images_behind_a_link_are_found(tmp_path):
    photographs.coco(tmp_path / "corpus", PICTURES)
    moved = (tmp_path / "corpus" / "train2014").rename(tmp_path / "elsewhere")
    (tmp_path / "corpus" / "train2014").symlink_to(moved)
    assert {"0", "2"} <= {
        item.figure_id for item in everything(open_corpus(tmp_path / "corpus")) if item.uri.startswith("train")
    }
