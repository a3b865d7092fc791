"""Spreadsheets: what openpyxl writes is read as pandas reads it, and what is not read is said."""

from __future__ import annotations

import builtins
import datetime
import io
import zipfile

import openpyxl
import pandas
import pytest
from openpyxl.drawing.image import Image

from retrieval.corpora import open_corpus
from retrieval.corpora.tables import sheet_rows
from retrieval.corpora.tables.open_rows import open_rows
from retrieval.errors import CorpusError
from tests.corpora.conftest import picture
from tests.corpora.reading import captions, figures

HEADER = ("Image file", "Legend", "year", "score", "seen")
ROWS = [
    ("a.png", "red\nand more", 2020, 1.5, datetime.date(2020, 2, 1)),
    ("b.png", "blue", None, 2.0, datetime.date(2021, 2, 1)),
]
ODS = """<?xml version="1.0"?><office:document-content
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"><office:body><office:spreadsheet><table:table
 table:name="one">{}</table:table></office:spreadsheet></office:body></office:document-content>"""
MANIFEST = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'


@pytest.fixture
def workbook(write):
    """Writes sheets by name, each a list of rows, beside the images a.png and b.png."""

    def make(**sheets):
        book = openpyxl.Workbook()
        book.remove(book.active)
        for name, rows in sheets.items():
            sheet = book.create_sheet(name)
            for row in rows:
                sheet.append(row)
        buffer = io.BytesIO()
        book.save(buffer)
        for name, colour in (("a", "red"), ("b", "blue")):
            write(f"data/{name}.png", picture(colour))
        return write("data/Figures.xlsx", buffer.getvalue())

    return make


def test_a_sheet_is_read_alone_and_beside_its_images(workbook):
    path = workbook(one=[HEADER, *ROWS])
    for source in (path, path.parent):
        corpus = open_corpus(source)
        assert captions(corpus) == {"a.png": ("red\nand more",), "b.png": ("blue",)}
        assert corpus.columns == {"year": "int64", "score": "float64", "seen": "date"}
        assert figures(corpus)["a.png"].metadata == {"year": 2020, "score": 1.5, "seen": "2020-02-01"}


def test_rows_are_those_that_pandas_reads(workbook):
    path = workbook(one=[("image", "caption", "n"), *((f"{n}.png", f"text {n}", n) for n in range(50))])
    frame = pandas.read_excel(path, engine="openpyxl")
    assert list(open_rows(path).scan(())) == frame.to_dict("records")


def test_titles_blank_rows_and_other_sheets_stand_in_no_ones_way(workbook):
    rows = [("Figures of the department",), (), HEADER, ROWS[0], (), ROWS[1]]
    corpus = open_corpus(workbook(readme=[("how to use",), ("see there",)], list=rows, old=[("x",)]))
    assert list(captions(corpus)) == ["a.png", "b.png"]
    assert corpus.notes == ["Figures.xlsx: sheet 'list' is read, and not 'readme', 'old'"]


def test_numbers_as_names_of_images_are_whole(workbook, write):
    write("data/7.png", picture())
    assert figures(open_corpus(workbook(one=[("image", "caption"), (7, "c")])))["7"].image == picture()


def test_pictures_in_the_sheet_are_said_not_to_be_read(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(("caption",))
    book.active.append(("one",))
    book.active.add_image(Image(io.BytesIO(picture())), "B2")
    book.save(tmp_path / "t.xlsx")
    notes = open_corpus(tmp_path / "t.xlsx").notes
    assert notes == ["t.xlsx: 1 pictures that lie in the sheets themselves are not read; save them as files"]


def test_open_document_sheets_are_read(write):
    cell = "<table:table-cell office:value-type='string'><text:p>{}</text:p></table:table-cell>"
    lines = ["".join(map(cell.format, row)) for row in (("image", "caption"), ("a.png", "red"))]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", MANIFEST)
        archive.writestr(
            "content.xml", ODS.format("".join(f"<table:table-row>{line}</table:table-row>" for line in lines))
        )
    write("a.png", picture())
    assert captions(open_corpus(write("t.ods", buffer.getvalue()))) == {"a.png": ("red",)}


@pytest.mark.parametrize("content", [b"", b"PK", b"no workbook at all", zipfile.ZipFile])
def test_what_is_no_workbook_is_refused_in_one_sentence(write, content):
    if content is zipfile.ZipFile:
        buffer = io.BytesIO()
        zipfile.ZipFile(buffer, "w").close()
        content = buffer.getvalue()
    with pytest.raises(CorpusError, match="the workbook cannot be read"):
        open_corpus(write("t.xlsx", content))


def test_a_workbook_that_unpacks_to_more_than_memory_is_refused(workbook, monkeypatch):
    monkeypatch.setattr(sheet_rows, "LARGEST", 1000)
    with pytest.raises(CorpusError, match="save the sheet as UTF-8 CSV"):
        open_corpus(workbook(one=[HEADER, *ROWS]))


def test_without_the_library_the_command_that_installs_it_is_named(workbook, monkeypatch):
    real = builtins.__import__

    def missing(name, *rest):
        if name == "python_calamine":
            raise ImportError(name)
        return real(name, *rest)

    path = workbook(one=[HEADER, *ROWS])
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(CorpusError, match=r"pip install 'retrieval\[sheets\]'"):
        open_corpus(path)
