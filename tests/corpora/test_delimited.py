"""CSV and TSV as programs of all sorts write them: quotes, delimiters, headers, encodings."""

from __future__ import annotations

import csv
import io

import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.corpora import open_corpus
from retrieval.corpora.tables.delimited import delimited
from retrieval.errors import CorpusError
from retrieval.types import Skip
from tests.corpora.reading import captions, everything, skips


def told(corpus) -> list[tuple[str, ...] | str]:
    """The captions of every figure, or the reason why it was skipped."""
    return [item.reason if isinstance(item, Skip) else item.captions for item in everything(corpus)]


NAMES = ["p1", "fig_{}.png", "images/{}.JPG", "IMG_{}", "PMC{}/F1"]


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("name", ["fig_{}.png", "images/{}.JPG", "IMG_{:04}", "PMC{:05}/F1"])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("later", ['CT shows the ""halo"" sign', 'the "halo" sign', 'a 5" tube', '"halo"', 'the halo"'])
def test_a_quote_that_is_never_closed_costs_one_row(write, delimiter, name, order, later):
    texts = [f"row {n}" for n in range(12)]
    texts[3], texts[7] = '"Bamboo spine', later
    header = delimiter.join(["image", "caption"][::order])
    lines = [delimiter.join([name.format(n), text][::order]) for n, text in enumerate(texts)]
    path = write("t.tsv" if delimiter == "\t" else "t.csv", "\n".join([header, *lines]) + "\n")
    rows = list(delimited(path).scan(()))
    assert len(rows) == 12
    assert [row if isinstance(row, str) else row["caption"] for row in rows[4:7]] == texts[4:7]
    assert rows[3] == (
        {"image": name.format(3), "caption": texts[3]} if delimiter == "\t" else "row has an unclosed quote"
    )


def test_quotes_in_a_table_that_does_not_quote_are_characters(write):
    table = write("t.tsv", 'id\tcaption\n1\t"halo" sign\n2\t"open\n3\tlast"\n4\t"whole"\n5\t"a ""b"" c"\n')
    assert told(open_corpus(table)) == [('"halo" sign',), ('"open',), ('last"',), ("whole",), ('a "b" c',)]


def test_a_cell_of_several_lines_that_look_a_little_like_rows_stays_whole(write):
    cell = "Findings:\nheart, normal\nlungs, clear\n\na.png, left"
    table = write("t.csv", f'image,caption\nfig_1.png,"{cell}"\nfig_2.png,next\n')
    assert [row["caption"] for row in delimited(table).scan(())] == [cell, "next"]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=30)


@pytest.mark.slow
@given(
    rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8),
    delimiter=st.sampled_from(",\t;|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_csv_writes_is_read_as_pandas_reads_it(write, rows, delimiter, quoting, end):
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows([("key", "image", "caption"), *((f"k{n}", *row) for n, row in enumerate(rows))])
    path = write("t.csv", buffer.getvalue())
    with open(path, "rb") as file:
        frame = pandas.read_csv(
            file, sep=delimiter, dtype=str, keep_default_na=False, lineterminator=None, skip_blank_lines=True
        )
    found = [tuple(row.values()) for row in delimited(path).scan(()) if isinstance(row, dict)]
    assert found == [tuple(row) for row in frame.itertuples(index=False)]


def test_the_first_line_of_excel_names_the_delimiter(write):
    for first in ("sep=;\n", '"sep=;"\r\n', "\ufeffsep=;\r\n"):
        table = write("t.csv", first + "id;caption, in full\n1;one, two\n")
        assert [dict(row) for row in delimited(table).scan(())] == [{"id": "1", "caption, in full": "one, two"}]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("# made by a script\n# twice\nid,caption\n1,one\n", [{"id": "1", "caption": "one"}]),
        ("#id\tcaption\n1\tone\n", [{"id": "1", "caption": "one"}]),
        (
            "id,caption,\n1,one,\n2,two\n",
            [{"id": n, "caption": c, "column_3": ""} for n, c in (("1", "one"), ("2", "two"))],
        ),
        ("id,caption\n1,one,,\n", [{"id": "1", "caption": "one"}]),
        ("a.png,one\nb.png,two\n", [{"column_1": f"{n}.png", "column_2": c} for n, c in (("a", "one"), ("b", "two"))]),
        ("id,caption\r1,one\r2,two\r", [{"id": "1", "caption": "one"}, {"id": "2", "caption": "two"}]),
    ],
    ids=["comments", "header in a comment", "delimiter at the end", "blank cells", "no header", "carriage returns"],
)
def test_headers_and_lines_of_all_sorts(write, text, rows):
    assert list(delimited(write("t.csv", text)).scan(())) == rows


ENCODED = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "t.jsonl"])
def test_unicode_in_every_form_is_read(write, encoding, name):
    tab = "\t" if name == "t.tsv" else ","
    text = f"image{tab}caption\r\na.png{tab}Größe 胸部\r\n"
    if name == "t.jsonl":
        text = '{"image": "a.png", "caption": "Größe 胸部"}\n'
    write("a.png", b"x")
    corpus = open_corpus(write(name, text.encode(encoding)))
    assert captions(corpus) == {"a.png": ("Größe 胸部",)}
    if encoding != "utf-8-sig":  # a mark before JSON lines always counted
        assert corpus.fingerprint == open_corpus(write(name, text.encode())).fingerprint


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("cp1252", "Größe – “x”"), ("latin-1", "Größe"), ("shift_jis", "胸部X線"), ("gb18030", "胸部")],
)
def test_other_encodings_are_named_or_refused_with_the_way_out(write, encoding, text):
    table = write("t.csv", b"id;caption\n" + b"".join(f"{n};{text}\n".encode(encoding) for n in range(5)))
    with pytest.raises(
        CorpusError, match=r"5 of 5 rows with letters outside of ASCII are not UTF-8.*--encoding cp1252"
    ):
        open_corpus(table)
    assert set(captions(open_corpus(table, encoding=encoding)).values()) == {(text,)}


def test_what_does_not_fit_the_encoding_costs_one_row(write):
    table = write("t.csv", b"id,caption\n1,\x81\x8d\n2,caf\xe9\n")
    assert told(open_corpus(table, encoding="cp1252")) == ["row does not fit the encoding", ("café",)]
    assert skips(open_corpus(table)) == {"t.csv#1": "row is not UTF-8 text", "t.csv#2": "row is not UTF-8 text"}


@pytest.mark.parametrize("encoding", ["klingon", "base64", ""])
def test_an_unknown_encoding_is_refused(write, encoding):
    with pytest.raises(CorpusError, match="there is no such encoding; give for example --encoding cp1252"):
        open_corpus(write("t.csv", "id,caption\n1,one\n"), encoding=encoding)


def test_an_unknown_encoding_is_refused_for_a_folder_too(write, tmp_path):
    write("t.csv", "id,caption\n1,one\n")
    with pytest.raises(CorpusError, match="there is no such encoding"):
        open_corpus(tmp_path, encoding="klingon")
