"""JSON in the forms in which people keep captions: lists, objects by file name, columns, conversations."""

from __future__ import annotations

import json

import pandas
import pytest

from retrieval.corpora import open_corpus
from retrieval.corpora.tables import json_values
from retrieval.corpora.tables.open_rows import open_rows
from retrieval.errors import CorpusError
from retrieval.types import Skip
from tests.corpora.conftest import picture
from tests.corpora.reading import captions, everything, figures

ROWS = [{"image": "a.png", "caption": "red"}, {"image": "b.png", "caption": "blue"}]
FRAME = pandas.DataFrame(ROWS)
LLAVA = [
    {
        "id": row["image"][0],
        "image": row["image"],
        "conversations": [
            {"from": "human", "value": "<image>\nDescribe it."},
            {"from": "gpt", "value": row["caption"]},
        ],
    }
    for row in ROWS
]
CHAT = [
    {"images": "x", "file_name": row["image"], "messages": [{"role": "assistant", "content": row["caption"]}]}
    for row in ROWS
]

FORMS = {
    "list": json.dumps(ROWS),
    "list over lines": json.dumps(ROWS, indent=2),
    "list with a comma at the end": "[" + ",\n".join(map(json.dumps, ROWS)) + ",\n]",
    "lines": "\n".join(map(json.dumps, ROWS)),
    "lines with commas": ",\n".join(map(json.dumps, ROWS)) + ",\n",
    "objects over lines": "\n".join(json.dumps(row, indent=1) for row in ROWS),
    "objects on one line": "".join(map(json.dumps, ROWS)),
    "captions by file": json.dumps({"a.png": "red", "b.png": "blue"}),
    "captions by file without suffix": json.dumps({"a": "red", "b": "blue"}),
    "objects by file": json.dumps({row["image"]: {"caption": row["caption"], "n": 1} for row in ROWS}),
    "lists by file": json.dumps({row["image"]: [row["caption"]] for row in ROWS}),
    "objects by key": json.dumps({str(n): row for n, row in enumerate(ROWS)}),
    "data": json.dumps({"info": {"year": 2020}, "data": ROWS}),
    "annotations": json.dumps({"licenses": [], "annotations": ROWS}),
    "by file, one level in": json.dumps({"annotations": {"a.png": "red", "b.png": "blue"}}),
    "splits": json.dumps({"train": ROWS[:1], "test": ROWS[1:]}),
    "columns": json.dumps({"image": ["a.png", "b.png"], "caption": ["red", "blue"]}),
    "pandas": FRAME.to_json(),
    "pandas split": FRAME.to_json(orient="split"),
    "pandas index": FRAME.to_json(orient="index"),
    "pandas table": FRAME.to_json(orient="table"),
    "COCO": json.dumps(
        {
            "images": [{"id": n, "file_name": row["image"]} for n, row in enumerate(ROWS)],
            "annotations": [{"id": n, "image_id": n, "caption": row["caption"]} for n, row in enumerate(ROWS)],
        }
    ),
    "LLaVA": json.dumps(LLAVA),
    "LLaVA lines": "\n".join(map(json.dumps, LLAVA)),
    "chat": json.dumps(CHAT),
    "byte order mark": "\ufeff" + json.dumps(ROWS),
}


@pytest.mark.parametrize("name", ["notes.json", "captions.json", "t.jsonl"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_pairs_alone_and_beside_its_images(write, form, name):
    images = {f"{name}.png": picture(colour) for name, colour in (("a", "red"), ("b", "blue"))}
    for image, data in images.items():
        write(f"data/{image}", data)
    table = write(f"data/{name}", FORMS[form])
    for source in (table, table.parent):
        corpus = open_corpus(source)
        found = {figure.image: figure.captions for figure in figures(corpus).values()}
        assert found == {images["a.png"]: ("red",), images["b.png"]: ("blue",)}
        assert list(figures(open_corpus(source)).values()) == list(figures(corpus).values())


def test_rows_of_splits_say_which(write):
    table = write("t.json", FORMS["splits"])
    assert [row["split"] for row in open_rows(table).scan(())] == ["train", "test"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[{"caption": "one"}, 7, ["x"], {"caption": "two"}]', [("one",), "row is not a JSON object", "?", ("two",)]),
        ('[{"caption": "one"}, {"caption": "tw', [("one",), "row is not valid JSON"]),
        (
            '[{"caption": "one"}, {"caption": "t"w"}, {"caption": "three"}]',
            [("one",), "row is not valid JSON", ("three",)],
        ),
        ('{"caption": "one"}\n{"caption": tw}\n{"caption": "three"}', [("one",), "row is not valid JSON", "?"]),
        ('{"caption":\n"one"}\n{"caption": tw}\n{"caption":\n"three"}', [("one",), "row is not valid JSON", "?"]),
    ],
)
def test_what_cannot_be_read_is_a_skip(write, text, told):
    items = everything(open_corpus(write("t.json", text)))
    for item, wanted in zip(items, told, strict=True):
        assert wanted == "?" or (item.reason if isinstance(item, Skip) else item.captions) == wanted


def test_a_value_that_is_not_utf8_costs_one_row(write):
    table = write("t.json", b'[{"caption": "caf\xe9"},\n {"caption": "\\ud800 two"}]')
    first, second = everything(open_corpus(table))
    assert isinstance(first, Skip)
    assert first.reason == "row is not UTF-8 text"
    assert second.captions == ("\ufffd two",)


@pytest.mark.parametrize("text", ['{"version": 1, "name": "x"}', "[]", "", "[1, 2]", '"text"', "7", "{}"])
def test_other_json_is_refused_when_named_and_no_table_when_not(write, text):
    table = write("data/settings.json", text)
    with pytest.raises(CorpusError, match=r"holds no rows|no column looks like"):
        open_corpus(table)
    write("data/t.csv", "image,caption\na.png,red\n")
    write("data/a.png", picture())
    assert captions(open_corpus(table.parent)) == {"a.png": ("red",)}


def test_sidecars_are_no_tables(write):
    for name in "ab":
        write(f"data/{name}.png", picture())
        write(f"data/{name}.json", json.dumps({"image": f"{name}.png", "caption": name}))
    corpus = open_corpus(write("data/a.png", picture()).parent)
    assert corpus.kind == "folder"
    assert captions(corpus) == {"a": ("a",), "b": ("b",)}


def test_a_long_list_is_held_one_row_at_a_time(write, monkeypatch):
    monkeypatch.setattr(json_values, "PIECE", 50)
    rows = [{"caption": f"{n} {'word ' * (n % 7)}", "n": n} for n in range(300)]
    table = write("t.json", json.dumps(rows))
    assert list(open_rows(table).scan(())) == rows
    monkeypatch.setattr(json_values, "LARGEST", 200)
    broken = write("broken.json", json.dumps(rows).replace('"n": 7}', '"n": }', 1))
    assert list(open_rows(broken).scan(())) == [*rows[:7], "row is not valid JSON", *rows[8:]]
    assert list(open_rows(table).scan(())) == rows
    with pytest.raises(CorpusError, match="write it as JSON lines"):
        open_rows(write("one.json", json.dumps({"data": rows})))
