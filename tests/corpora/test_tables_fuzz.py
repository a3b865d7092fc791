"""Damaged tables: whatever is changed in one, it is read or refused in one line, and other rows stay whole."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from retrieval.types import Figure
from tests.corpora.conftest import picture
from tests.corpora.reading import everything

COUNT = 20
ROWS = [(f"p{n}.png", f'caption {n}, with a "quote" in it') for n in range(COUNT)]
QUOTED = "".join('"{}","{}"\n'.format(name, text.replace('"', '""')) for name, text in ROWS)
OBJECTS = [{"image": name, "caption": text} for name, text in ROWS]
TABLES = {
    "t.csv": f"image,caption\n{QUOTED}",
    "t.tsv": "image\tcaption\n" + "".join(f"{name}\t{text}\n" for name, text in ROWS),
    "t.jsonl": "".join(f"{json.dumps(one)}\n" for one in OBJECTS),
    "list.json": json.dumps(OBJECTS, indent=1),
    "by_file.json": json.dumps(dict(ROWS)),
}
BY_ROW = ("t.csv", "t.tsv", "t.jsonl", "list.json")
PIECES = [b'"', b'""', b"\n", b"\r\n", b"\0", b"\xff", b",", b"\t", b"{", b"}", b"[", b"]", b"\\", b"null", b"x" * 3000]
EDITS = st.lists(st.tuples(st.floats(0, 1), st.sampled_from([*PIECES, b""]), st.integers(0, 5)), min_size=1, max_size=4)
SETTINGS = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def edited(text: str, edits: list[tuple[float, bytes, int]]) -> bytes:
    """The text with pieces put in, each at its share of the length and in place of some bytes."""
    data = text.encode()
    for share, piece, length in edits:
        at = int(share * len(data))
        data = data[:at] + piece + data[at + length :]
    return data


def whole(path) -> int | None:
    """How many pairs come out of a table as they went in; None where it is refused, in one line."""
    refusal, items = "", []
    try:
        items = everything(open_corpus(path), 7)
    except CorpusError as error:
        refusal = str(error)
    if refusal:
        assert "\n" not in refusal
        return None
    assert len({item.figure_id for item in items}) == len(items)
    texts = [item.captions[:1] for item in items if isinstance(item, Figure) and item.image is not None]
    return sum((text,) in texts for _, text in ROWS)


@pytest.mark.parametrize("name", TABLES)
@given(edits=EDITS)
@SETTINGS
def test_a_damaged_table_is_read_or_refused_in_one_line(write, name, edits):
    for image, _ in ROWS[:3]:
        write(f"data/{image}", picture())
    path = write(f"data/{name}", edited(TABLES[name], edits))
    whole(path)
    whole(path.parent)
    path.unlink()


@pytest.mark.parametrize("name", BY_ROW)
@given(share=st.floats(0.2, 0.8), piece=st.sampled_from(PIECES), length=st.integers(0, 1))
@SETTINGS
def test_one_wrong_place_costs_two_rows_at_most(write, name, share, piece, length):
    for image, _ in ROWS:
        write(f"{image}", picture())
    found = whole(write(name, edited(TABLES[name], [(share, piece, length)])))
    assert found is not None
    assert found >= COUNT - 2


VALUES = st.recursive(
    st.sampled_from(
        ["a.png", "b", "", None, True, 1, 1.5, 10**30, "gpt", "https://x.org/a.png", "a text of words", "\ud800", "\0"]
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    *("image", "caption", "images", "annotations", "data", "columns", "id", "image_id", "file_name"),
                    *("conversations", "messages", "from", "value", "text", "a.png", "path", "split", "bytes", "url"),
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=25,
)


@given(value=VALUES)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_json_is_read_or_refused_in_one_line(write, value):
    write("data/a.png", picture())
    path = write("data/t.json", json.dumps(value))
    whole(path)
    whole(path.parent)
