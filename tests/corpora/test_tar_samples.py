"""What becomes of the members of an archive: by key, stem and sort; nothing replaced, mispaired or left out unnamed."""

from __future__ import annotations

import pytest

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from retrieval.types import Figure
from tests.corpora.conftest import picture
from tests.corpora.reading import everything
from tests.corpora.tar_files import tar

RED, BLUE, GREEN, WHITE = (picture(colour) for colour in ("red", "blue", "green", "white"))
AGAIN = "key comes again and it is unclear what belongs together"


def read(write, members):
    """Figures by id as (image, captions), and skips by id; each member is in the account once."""
    corpus = open_corpus(write("s.tar", tar(members)))
    inside = corpus.account.inside
    assert corpus.account.files == 1
    assert inside.files == sum(inside.read.values()) + len(inside.unread) == len(members)
    items = everything(corpus)
    assert len({item.figure_id for item in items}) == len(items)
    figures = {item.figure_id: (item.image, item.captions) for item in items if isinstance(item, Figure)}
    return figures, {item.figure_id: item.reason for item in items if not isinstance(item, Figure)}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        # one stem is another one up to a dot
        (
            [("f.png", RED), ("f.txt", "f"), ("f.2.png", BLUE), ("f.2.txt", "f 2")],
            {"f": (RED, ("f",)), "f.2": (BLUE, ("f 2",))},
        ),
        (
            [("s.v2.png", BLUE), ("s.v2.txt", "2"), ("s.png", RED), ("s.txt", "1")],
            {"s.v2": (BLUE, ("2",)), "s": (RED, ("1",))},
        ),
        # a key that comes again is another figure, next to the first one or not
        (
            [("a.png", RED), ("a.txt", "1"), ("a.png", BLUE), ("a.txt", "2")],
            {"a": (RED, ("1",)), "a/2": (BLUE, ("2",))},
        ),
        (
            [("a.png", RED), ("a.txt", "1"), ("b.png", GREEN), ("a.jpg", BLUE), ("a.caption", "2")],
            {"a": (RED, ("1",)), "b": (GREEN, ()), "a/2": (BLUE, ("2",))},
        ),
        (
            [("a.png", RED), ("a.txt", "1"), ("b.txt", "b"), ("a.png", BLUE)],
            {"a": (RED, ("1",)), "b": (None, ("b",)), "a/2": (BLUE, ())},
        ),
        # what is missing may come later: all images, then all captions
        (
            [("a.png", RED), ("b.png", BLUE), ("a.txt", "a"), ("b.txt", "b")],
            {"a": (RED, ("a",)), "b": (BLUE, ("b",))},
        ),
        # several images of one key, and its caption
        ([("k.0.jpg", RED), ("k.1.jpg", BLUE), ("k.txt", "k")], {"k.0": (RED, ("k",)), "k.1": (BLUE, ("k",))}),
        (
            [("k.left.png", RED), ("k.right.png", BLUE), ("k.caption", "k")],
            {"k.left": (RED, ("k",)), "k.right": (BLUE, ("k",))},
        ),
        ([("k.jpg", RED), ("k.1.jpg", BLUE), ("k.txt", "k")], {"k": (RED, ("k",)), "k.1": (BLUE, ())}),
        # masks and other sizes of an image are counted, and are no figures
        ([("a.jpg", RED), ("a.seg.png", BLUE), ("a.png", GREEN), ("a.txt", "a")], {"a": (RED, ("a",))}),
        # names of fields
        ([("a.image.JPG", RED), ("a.caption.txt", "a")], {"a": (RED, ("a",))}),
        ([("a.jpg", RED), ("a.jpg.txt", "a")], {"a": (RED, ("a",))}),
        ([("a.TIFF", RED), ("a.Text", "a")], {"a": (RED, ("a",))}),
        ([("d.e/a.webp", RED), ("d.e/a.cap", "a")], {"d.e/a": (RED, ("a",))}),
        ([("./a b.png", RED), ("./a b.captions", "a")], {"a b": (RED, ("a",))}),
        # several captions
        ([("a.png", RED), ("a.0.txt", "x"), ("a.1.txt", "y")], {"a": (RED, ("x", "y"))}),
        ([("a.png", RED), ("a.txt", "x"), ("a.caption", "y")], {"a": (RED, ("x", "y"))}),
        ([("a.png", RED), ("a.captions.json", '["x", "y"]')], {"a": (RED, ("x", "y"))}),
        ([("a.png", RED), ("a.json", '["x", "y"]')], {"a": (RED, ("x", "y"))}),
        ([("a.png", RED), ("a.json", '"x"')], {"a": (RED, ("x",))}),
        ([("a.png", RED), ("a.json", '[{"caption": "x", "id": 7}]')], {"a": (RED, ("x",))}),
        ([("a.png", RED), ("a.json", '{"captions": ["x"]}')], {"a": (RED, ("x",))}),
    ],
)
def test_members_become_figures(write, members, expected):
    assert read(write, members) == (expected, {})


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        # which of two captions is of which of two images?
        (
            [
                ("a.png", RED),
                ("b.png", WHITE),
                ("a.png", BLUE),
                ("b.txt", "b"),
                ("a.txt", "1"),
                ("b.x", ""),
                ("a.txt", "2"),
            ],
            {"a": AGAIN, "a/2": AGAIN, "a/3": AGAIN, "a/4": AGAIN},
        ),
        ([("a.png", RED), ("a.txt", "1"), ("b.png", BLUE), ("b.txt", "b"), ("a.txt", "2")], {"a/2": AGAIN}),
        ([("b.png", RED), ("a.heic", "x"), ("a.txt", "a")], {"a": "HEIC image: convert it to PNG or JPEG"}),
        ([("b.png", RED), ("a.svg", "x")], {"a": "SVG drawing: convert it to PNG"}),
        ([("b.png", RED), ("a.pdf", "x"), ("a.txt", "a")], {"a": "PDF: figures are not taken out of it"}),
        ([("b.png", RED), ("a.png", RED), ("a.json", "3")], {"a": "sidecar is not a JSON object"}),
        ([("b.png", RED), ("a.png", RED), ("a.json", "[]")], {"a": "sidecar is not a JSON object"}),
    ],
)
def test_what_cannot_be_told_or_read_is_a_skip(write, members, expected):
    assert read(write, members)[1] == expected


def test_members_of_no_figure_are_named_with_the_reason(write):
    named = {
        "README.md": "belongs to no figure",
        "README.txt": "belongs to no figure",
        "x.npy": "arrays: save pictures as PNG or TIFF",
        "table.csv": "belongs to no figure",
        "y.cls": "belongs to no figure",
        "LICENSE": "kind is not known, its name has no suffix",
        "inner.tar.gz": "archive: unpack it first",
        "more.zip": "archive: unpack it first",
        "__meta__/a.json": "metadata of the whole data set",
    }
    members = {"a.png": RED, "a.txt": "a", "a.npy": "numbers", "._a.png": "", "__MACOSX/a.png": ""} | named
    corpus = open_corpus(write("s.tar", tar(members)))
    inside = corpus.account.inside
    assert {skip.uri.removeprefix("s.tar/"): skip.reason for skip in inside.unread} == named
    assert inside.read == {"image": 1, "caption": 1, "unused .npy file": 1, "hidden file": 2}
    assert inside.files == len(members)


def test_other_fields_of_a_figure_are_its_metadata(write):
    members = {"a.png": RED, "a.txt": "a", "a.cls": "3", "a.ocr.txt": "words", "a.meta.json": '{"z": 1}'}
    members |= {"b.png": BLUE, "b.json": '{"caption": "b", "cls": 4, "licence": "CC0"}'}
    corpus = open_corpus(write("s.tar", tar(members)))
    assert dict(corpus.columns) == {"cls": "int64", "ocr": "string", "licence": "string"}
    a, b = everything(corpus)
    assert (a.captions, a.metadata["cls"], a.metadata["ocr"], a.extra) == (("a",), 3, "words", {"meta.json": {"z": 1}})
    assert (b.captions, b.metadata["cls"], b.metadata["licence"]) == (("b",), 4, "CC0")


def test_a_key_that_comes_thousands_of_times_takes_no_time(write):
    members = [(f"{key}.png", RED) for _ in range(3000) for key in ("a", "b")]
    figures, skips = read(write, members)
    assert (len(figures), skips) == (6000, {})


def test_captions_in_a_folder_beside_that_of_the_images_are_theirs(write):
    members = [("images/a.png", RED), ("images/b.png", BLUE), ("captions/a.txt", "a"), ("captions/b.txt", "b")]
    assert read(write, members) == ({"images/a": (RED, ("a",)), "images/b": (BLUE, ("b",))}, {})


def test_a_caption_that_may_be_of_several_images_in_other_folders_is_a_skip(write):
    members = [("x/a.png", RED), ("y/a.png", BLUE), ("z/a.txt", "a"), ("b.png", GREEN), ("b.txt", "b")]
    figures, skips = read(write, members)
    assert figures == {"x/a": (RED, ()), "y/a": (BLUE, ()), "b": (GREEN, ("b",))}
    assert skips == {"z/a": "caption of several images of this name in other folders"}


@pytest.mark.parametrize("other", ["captions.csv", "captions.json", "captions.txt", "a/metadata.jsonl", "c.parquet"])
def test_images_whose_captions_are_kept_in_a_way_that_is_not_read_are_refused(write, other):
    path = write("s.tar", tar({"a/1.png": RED, "a/2.png": BLUE, other: '[{"image": "1.png", "caption": "one"}]'}))
    with pytest.raises(
        CorpusError, match=rf"2 images without any caption, .*s.tar/{other} .*say --images-only"
    ) as told:
        open_corpus(path)
    assert told.value.account.inside.files == 3
    items = everything(open_corpus(path, images_only=True))
    assert [item.figure_id for item in items][:2] == ["a/1", "a/2"]


def test_images_alone_and_captions_alone_are_corpora(write):
    assert list(read(write, [("a.png", RED), ("b.png", BLUE), ("README.txt", "about")])[0]) == ["a", "b"]
    assert read(write, [("a.txt", "a"), ("b.caption", "b")])[0] == {"a": (None, ("a",)), "b": (None, ("b",))}
