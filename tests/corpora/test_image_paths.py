"""Images are found however a table writes their paths, and a missing one never has another's file."""

from __future__ import annotations

import json
import os
import unicodedata

import pytest

from retrieval.corpora import open_corpus
from retrieval.types import Skip
from tests.corpora.conftest import picture
from tests.corpora.reading import everything, figures, skips

ACCENT = "Größe é"


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("IMG_001.png", "IMG_001"),
        ("IMG_001.JPG", "IMG_001"),
        ("fig1.2.tif", "fig1.2"),
        ("12.png", "12"),
        ("sub/IMG_001.png", "sub/IMG_001"),
        ("a.PNG", "A.png"),
        ("Images/a.png", "images/A.PNG"),
        (f"{unicodedata.normalize('NFD', ACCENT)}.png", f"{unicodedata.normalize('NFC', ACCENT)}.png"),
        (f"{unicodedata.normalize('NFC', ACCENT)}.png", unicodedata.normalize("NFD", ACCENT)),
        ("sub/b/a.png", "sub/b\\a.png"),
        ("two words.png", "two%20words.png"),
        ("a%20b.png", "a%20b.png"),
        ("images/two words.png", "two%20words"),
        ("a.png", "file://a.png"),
        ("images/sub/a.png", "/home/somebody/project/images/sub/a.png"),
        ("images/a.png", "C:\\Users\\somebody\\images\\a.png"),
        ("a.png", "/data/of/another/a.png"),
        ("photos of 2020/a.png", "a.png"),
        ("deep/er/a.png", "a.png"),
        ("a.png", "images/a.png"),
    ],
)
def test_the_image_of_a_row_is_found(write, file, said):
    write(f"data/{file}", picture())
    write("data/other.png", picture("blue"))
    table = write("data/t.jsonl", json.dumps({"image": said, "caption": "c"}))
    (figure,) = figures(open_corpus(table)).values()
    assert figure.image == picture()


def test_images_beside_the_folder_of_the_table_are_found(write):
    write("data/images/a.png", picture())
    table = write("data/captions/t.csv", "image,caption\na.png,c\n")
    assert [figure.image for figure in figures(open_corpus(table)).values()] == [picture()]


def test_names_that_are_spread_over_folders_are_found_where_they_tell_images_apart(write):
    names = [f"{n}.png" for n in range(6)]
    for n, name in enumerate(names):
        write(f"data/class{n % 2}/{name}", picture())
        write(f"data/masks/{name}", picture("blue"))
    table = write("data/t.csv", "image,caption\n" + "".join(f"{name},c\n" for name in names))
    assert [figure.image for figure in figures(open_corpus(table)).values()] == [picture()] * 6


@pytest.mark.parametrize("missing", ["gone.png", "sub/gone.png", "/elsewhere/gone.png", "gone"])
def test_a_missing_image_never_has_the_file_of_another(write, missing):
    for n in range(6):
        write(f"data/images/{n}.png", picture())
    write("data/masks/gone.png", picture("blue"))
    write("data/other/gone.png", picture("blue"))
    rows = "".join(f"{name},c\n" for name in [*(f"{n}.png" for n in range(6)), missing])
    table = write("data/t.csv", "image,caption\n" + rows)
    items = everything(open_corpus(table))
    assert [item.reason for item in items if isinstance(item, Skip)] == ["image file is missing"]
    (where,) = skips(open_corpus(table))
    assert where == (missing if missing.startswith("/") else f"images/{missing}")


def test_two_files_that_a_name_may_mean_are_none(write):
    write("A.png", picture())
    write("a.PNG", picture("blue"))
    table = write("t.csv", "image,caption\na.png,c\n")
    if len(os.listdir(table.parent)) == 3:  # else the system itself knows no case
        assert list(skips(open_corpus(table)).values()) == ["image file is missing"]


@pytest.mark.parametrize("cell", ["word " * 200, "x" * 5000, "a/" * 3000, "nul\0.png", "x" * 300 + ".png"])
def test_what_is_no_file_name_is_one_skip(write, cell):
    write("a.png", picture())
    rows = [{"image": "a.png", "caption": "1"}, {"image": cell, "caption": "2"}]
    items = everything(open_corpus(write("t.jsonl", "\n".join(map(json.dumps, rows)))))
    assert [isinstance(item, Skip) for item in items] == [False, True]


@pytest.mark.parametrize("special", ["pipe.png", "/dev/zero"])
def test_pipes_and_devices_are_not_opened(tmp_path, write, special):
    os.mkfifo(tmp_path / "pipe.png")
    table = write("t.csv", f"image,caption\n{special},c\n")
    assert list(skips(open_corpus(table)).values()) == ["image cannot be read"]


@pytest.mark.parametrize("said", ["{}.dcm", "scans/{}.tif", "{}.jpg"])
def test_images_that_were_converted_are_found_where_all_were(write, said):
    for n in range(6):
        write(f"data/images/{n}.png", picture())
    rows = "".join(f"{said.format(n)},c\n" for n in range(6))
    table = write("data/t.csv", "image,caption\n" + rows)
    assert [figure.image for figure in figures(open_corpus(table)).values()] == [picture()] * 6


def test_a_mask_of_another_suffix_is_not_the_missing_image(write):
    for n in range(5):
        write(f"data/{n}.jpg", picture())
    for n in range(6):
        write(f"data/{n}.png", picture("blue"))
    table = write("data/t.csv", "image,caption\n" + "".join(f"{n}.jpg,c\n" for n in range(6)))
    assert skips(open_corpus(table)) == {"5.jpg": "image file is missing"}


def test_a_list_of_images_in_a_row_of_json_is_one_figure_each(write):
    write("a.png", picture())
    write("b.png", picture("blue"))
    answer = [{"role": "user", "content": "<image><image>?"}, {"role": "assistant", "content": "two"}]
    rows = [{"images": ["a.png", "b.png"], "messages": answer}, {"images": ["b.png"], "caption": "one"}]
    found = everything(open_corpus(write("t.json", json.dumps(rows))))
    assert [(item.image, item.captions) for item in found] == [
        (picture(), ("two",)),
        (picture("blue"), ("two", "one")),
    ]
