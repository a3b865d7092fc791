"""CSV, TSV and JSON lines."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from retrieval.types import Skip
from tests.corpora.conftest import picture
from tests.corpora.reading import captions, everything, figures, skips


def as_csv(*rows: Sequence[object], delimiter: str = ",", quoting: int = csv.QUOTE_MINIMAL) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator="\n", quoting=quoting).writerows(rows)
    return buffer.getvalue()


def as_lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def images(write):
    """Two images, a.png and b.png, beside the tables."""
    for name, colour in (("a", "red"), ("b", "blue")):
        write(f"{name}.png", picture(colour))


@pytest.mark.parametrize(
    ("image", "caption"),
    [
        ("image", "caption"),
        ("filepath", "title"),
        ("image_path", "text"),
        ("file_name", "captions"),
        ("File name", "Captions"),
        ("path", "fig_caption"),
        ("IMAGE-FILE", "Sentence"),
    ],
)
def test_usual_column_names_are_known(write, images, image, caption):
    by_comma = write("table.csv", as_csv((image, caption), ("a.png", "red"), ("b.png", "blue")))
    by_tab = write("table.tsv", as_csv((image, caption), ("a.png", "red"), ("b.png", "blue"), delimiter="\t"))
    lines = write("table.jsonl", as_lines({image: "a.png", caption: "red"}, {image: "b.png", caption: "blue"}))
    for table in (by_comma, by_tab, lines):
        corpus = open_corpus(table)
        assert corpus.kind == "table"
        assert captions(corpus) == {"a.png": ("red",), "b.png": ("blue",)}
        assert figures(corpus)["b.png"].image == picture("blue")


@pytest.mark.parametrize("delimiter", ["\t", ";", "|"])
def test_the_delimiter_of_a_csv_file_is_seen_in_its_header(write, images, delimiter):
    table = write("t.csv", as_csv(("filepath", "title"), ("a.png", "one, two; three"), delimiter=delimiter))
    assert captions(open_corpus(table)) == {"a.png": ("one, two; three",)}


def test_other_column_names_can_be_given(write, images):
    table = write("t.csv", as_csv(("bild", "kurz", "lang", "caption"), ("a.png", "k", "l", "c")))
    corpus = open_corpus(table, image_column="bild", caption_columns=("lang", "kurz"))
    assert captions(corpus) == {"a.png": ("l", "k")}
    with pytest.raises(CorpusError, match="there is no column 'image'; its columns are 'bild', 'kurz'"):
        open_corpus(table, image_column="image")


def test_numbered_caption_columns_are_several_captions(write, images):
    table = write("t.csv", as_csv(("image", "title", "caption_1", "caption_2"), ("a.png", "t", "one", "two")))
    assert captions(open_corpus(table)) == {"a.png": ("one", "two")}


def test_a_table_without_image_and_caption_columns_says_what_would_help(write):
    table = write("t.csv", as_csv(("was", "womit"), ("a.png", "x")))
    with pytest.raises(CorpusError, match="name them with image_column and caption_columns, its columns are 'was'"):
        open_corpus(table)


@pytest.mark.parametrize("content", ["", "image,caption\n", "\n\n"])
def test_a_table_without_rows_is_refused(write, content):
    with pytest.raises(CorpusError, match=r"table is empty|no rows"):
        open_corpus(write("t.csv", content))


def test_rows_of_one_image_are_one_figure_with_a_caption_from_each(write, images):
    rows = [("a.png", "1"), ("b.png", "2"), ("./a.png", "3"), ("a.png", ""), ("b.png", "4")]
    table = write("t.csv", as_csv(("image", "caption"), *rows))
    assert captions(open_corpus(table)) == {"a.png": ("1", "3", ""), "b.png": ("2", "4")}


def test_a_list_of_captions_is_several_captions(write, images):
    lines = write("t.jsonl", as_lines({"image": "a.png", "caption": ["1", "2"]}, {"image": "b.png", "caption": []}))
    assert captions(open_corpus(lines)) == {"a.png": ("1", "2"), "b.png": ()}


def test_lists_written_into_csv_cells_are_lists_where_the_whole_column_is(write, images):
    all_lists = write("all.csv", as_csv(("image", "caption"), ("a.png", "['it', \"isn't\"]"), ("b.png", "")))
    assert captions(open_corpus(all_lists)) == {"a.png": ("it", "isn't"), "b.png": ()}
    one_list = write("one.csv", as_csv(("image", "caption"), ("a.png", "['it']"), ("b.png", "[Figure 1] a cell")))
    assert captions(open_corpus(one_list)) == {"a.png": ("['it']",), "b.png": ("[Figure 1] a cell",)}


def test_captions_with_line_breaks_and_quotes_stay_one_caption(write, images):
    said = 'first line\nsecond, "quoted" line\r\nthird'
    table = write("t.csv", as_csv(("image", "caption"), ("a.png", said), ("b.png", "after")))
    assert captions(open_corpus(table)) == {"a.png": (said,), "b.png": ("after",)}


def test_captions_are_passed_on_unaltered(write, images):
    table = write(
        "t.jsonl", as_lines({"image": "a.png", "caption": "  spaces \n"}, {"image": "b.png", "caption": None})
    )
    assert captions(open_corpus(table)) == {"a.png": ("  spaces \n",), "b.png": ()}


def test_the_id_column_names_the_figures_where_it_tells_them_apart(write, images):
    unique = write(
        "1.csv", as_csv(("id", "image", "caption"), ("x", "a.png", "1"), ("y", "b.png", "2"), ("x", "a.png", "3"))
    )
    assert captions(open_corpus(unique)) == {"x": ("1", "3"), "y": ("2",)}
    for rows in (
        [("x", "a.png", "1"), ("x", "b.png", "2")],
        [("1", "a.png", "1"), ("2", "a.png", "1"), ("3", "b.png", "2")],
    ):
        corpus = open_corpus(write("2.csv", as_csv(("id", "image", "caption"), *rows)))
        assert list(figures(corpus)) == ["a.png", "b.png"]
        assert "id" in corpus.columns  # and is not lost


def test_without_id_and_image_the_row_number_is_the_id(write):
    table = write("t.jsonl", as_lines({"caption": "same"}, {"caption": "same"}))
    found = figures(open_corpus(table))
    assert list(found) == ["t.jsonl#1", "t.jsonl#2"]
    assert found["t.jsonl#2"].image is None


def test_a_missing_id_is_replaced_by_the_path_of_the_image(write, images):
    table = write(
        "t.jsonl", as_lines({"id": 7, "image": "a.png", "caption": "1"}, {"id": None, "image": "b.png", "caption": "2"})
    )
    assert list(figures(open_corpus(table))) == ["7", "b.png"]


def test_articles_are_known_by_the_usual_names(write, images):
    table = write(
        "t.csv", as_csv(("image", "caption", "PMID", "doi"), ("a.png", "1", "007", "10.1/x"), ("b.png", "2", "", ""))
    )
    corpus = open_corpus(table)
    assert [figure.article_id for figure in figures(corpus).values()] == ["007", None]
    assert corpus.columns == {"doi": "string"}


def test_columns_of_a_csv_file_have_the_narrowest_type_of_all_cells(write, images):
    header = ("image", "caption", "year", "score", "radiology", "code", "mixed", "big", "none")
    one = ("a.png", "1", "2020", "1", "True", "007", "1", "9" * 30, "")
    two = ("b.png", "2", "", "-.5e1", "false", "12", "x", "1", "")
    corpus = open_corpus(write("t.csv", as_csv(header, one, two)))
    assert corpus.columns == {
        "year": "int64",
        "score": "float64",
        "radiology": "bool",
        "code": "string",
        "mixed": "string",
        "big": "string",
        "none": "string",
    }
    found = figures(corpus)
    assert found["a.png"].metadata == {
        "year": 2020,
        "score": 1.0,
        "radiology": True,
        "code": "007",
        "mixed": "1",
        "big": "9" * 30,
        "none": None,
    }
    assert found["b.png"].metadata["year"] is None
    assert found["b.png"].metadata["score"] == -5.0


def test_columns_of_json_lines_have_the_narrowest_type_and_nested_values_are_extra(write, images):
    one = {"image": "a.png", "caption": "1", "year": 1, "pmid": 5, "tags": None, "ok": True, "huge": 2**70, "width": 9}
    two = {"image": "b.png", "caption": "2", "year": 1.5, "doi": "x", "tags": ["t", {"deep": float("nan")}]}
    corpus = open_corpus(write("t.jsonl", as_lines(one, two)))
    assert corpus.columns == {"year": "float64", "ok": "bool", "huge": "string", "doi": "string"}
    found = figures(corpus)
    assert found["a.png"].metadata == {"year": 1.0, "ok": True, "huge": str(2**70), "doi": None}
    assert found["a.png"].extra == {"width": 9}
    assert found["b.png"].extra == {"tags": ["t", {"deep": None}]}
    json.dumps([figure.extra for figure in found.values()], allow_nan=False)


def test_not_a_number_is_a_missing_value(write, images):
    rows = [{"image": "a.png", "caption": "1", "year": 2020, "kind": "CT"}]
    rows += [{"image": "b.png", "caption": float("nan"), "year": float("nan"), "kind": float("nan")}]
    corpus = open_corpus(write("t.jsonl", as_lines(*rows)))
    assert corpus.columns == {"year": "int64", "kind": "string"}
    assert figures(corpus)["b.png"].metadata == {"year": None, "kind": None}
    assert figures(corpus)["b.png"].captions == ()


def test_keys_that_differ_from_row_to_row_do_not_become_thousands_of_columns(write, images):
    rows = [{"image": "a.png", "caption": str(n), f"key{n}": n} for n in range(500)]
    corpus = open_corpus(write("t.jsonl", as_lines(*rows)))
    assert 0 < len(corpus.columns) <= 200


@pytest.mark.parametrize("place", ["images", "Images", "figures"])
def test_images_are_found_in_a_folder_beside_the_table(write, place):
    write(f"data/{place}/a.png", picture())
    table = write("data/t.csv", as_csv(("image", "caption"), ("a.png", "1")))
    assert figures(open_corpus(table))["a.png"].image == picture()


def test_images_are_found_by_absolute_paths_and_below_another_root(tmp_path, write):
    image = write("elsewhere/a.png", picture())
    absolute = write("1.csv", as_csv(("image", "caption"), (image.as_posix(), "1")))
    assert figures(open_corpus(absolute))[image.as_posix()].image == picture()
    relative = write("tables/2.csv", as_csv(("image", "caption"), ("a.png", "1")))
    assert skips(open_corpus(relative)) == {"a.png": "image file is missing"}
    assert figures(open_corpus(relative, image_root=tmp_path / "elsewhere"))["a.png"].image == picture()


def test_paths_written_on_windows_are_found(write):
    write("sub/a.png", picture())
    table = write("t.csv", as_csv(("image", "caption"), ("sub\\a.png", "1")))
    assert list(figures(open_corpus(table))) == ["sub/a.png"]


def test_images_that_are_missing_or_elsewhere_are_skipped_by_reason(tmp_path, write, images):
    (tmp_path / "folder.png").mkdir()
    rows = [
        "a.png",
        "gone.png",
        "a.png/b.png",
        "https://example.org/a.png",
        "s3://bucket/a.png",
        "folder.png",
        "nul\0.png",
    ]
    table = write("t.jsonl", as_lines(*({"image": image, "caption": "c"} for image in [*rows, ["a.png"], 1.5])))
    assert skips(open_corpus(table)) == {
        "gone.png": "image file is missing",
        "a.png/b.png": "image file is missing",
        "https://example.org/a.png": "image is a URL; download it first",
        "s3://bucket/a.png": "image is a URL; download it first",
        "folder.png": "image cannot be read",
        "nul\0.png": "image cannot be read",
        "t.jsonl#8": "image is not a path",
        "1.5": "image file is missing",
    }


def test_a_row_without_an_image_is_a_figure_of_captions_only(write, images):
    rows = [{"image": image, "caption": "c"} for image in ("a.png", None, "", float("nan"))]
    found = figures(open_corpus(write("t.jsonl", as_lines(*rows))))
    assert [figure.image is None for figure in found.values()] == [False, True, True, True]


def test_a_row_without_image_and_caption_is_skipped(write, images):
    table = write("t.jsonl", as_lines({"image": "a.png", "caption": "c"}, {"image": None}, {}))
    assert skips(open_corpus(table)) == dict.fromkeys(("t.jsonl#2", "t.jsonl#3"), "neither image nor caption")


def test_bad_lines_of_json_are_skipped_and_the_rest_is_read(write, images):
    good = b'{"image": "a.png", "caption": "1"}\n'
    bad = [b'{"image": "a.pn\n', b"\xff\xfe\xff\n", b"[1]\n", b"[" * 100_000 + b"\n", b"null\n"]
    table = write("t.jsonl", good + b"\n  \n" + b"".join(bad) + b'{"image": "b.png", "caption": "2"}')
    items = everything(open_corpus(table))
    assert [item.reason if isinstance(item, Skip) else item.captions for item in items] == [
        ("1",),
        "row is not valid JSON",
        "row is not UTF-8 text",
        "row is not a JSON object",
        "row is not valid JSON",
        "row is not a JSON object",
        ("2",),
    ]
    assert len({item.figure_id for item in items}) == 7


def test_bad_rows_of_csv_are_skipped_and_the_rest_is_read(write, images):
    rows = [b"a.png,1", b"a.png", b"a.png,1,2", b"a.png,\0", b"a.png,Gr\xf6\xdfe", b"b.png,2", b""]
    table = write("t.csv", b"image,caption\r\n" + b"\r\n".join(rows))
    items = everything(open_corpus(table))
    assert [item.reason if isinstance(item, Skip) else item.captions for item in items] == [
        ("1",),
        "row has too few cells",
        "row has too many cells",
        "row holds a NUL character",
        "row is not UTF-8 text",
        ("2",),
    ]


@pytest.mark.parametrize("after", [3, 5000])
def test_one_stray_quote_costs_one_row(write, images, after):
    rows = [("b.png", f"row {n}") for n in range(after)]
    table = write("t.csv", 'image,caption\na.png,"never closed\n' + as_csv(*rows))
    items = everything(open_corpus(table))
    assert [item.reason for item in items if isinstance(item, Skip)] == ["row has an unclosed quote"]
    assert [len(item.captions) for item in items if not isinstance(item, Skip)] == [after]


def test_a_quote_inside_of_a_cell_is_a_character(write, images):
    table = write("t.csv", 'image,caption\na.png,5" tube\nb.png,6" tube\n')
    assert captions(open_corpus(table)) == {"a.png": ('5" tube',), "b.png": ('6" tube',)}


def test_a_cell_beyond_the_limit_of_the_csv_module_costs_one_row(write, images):
    fits, too_long = "word " * 26_000, "word " * 27_000
    table = write("t.csv", as_csv(("image", "caption"), ("a.png", fits), ("a.png", too_long), ("b.png", "after")))
    assert [item.reason if isinstance(item, Skip) else item.captions for item in everything(open_corpus(table))] == [
        (fits,),
        "row is not valid CSV",
        ("after",),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_column(write, images):
    table = write("t.csv", b"\xef\xbb\xbf" + as_csv(("image", "caption"), ("a.png", "1")).encode())
    assert captions(open_corpus(table)) == {"a.png": ("1",)}
    lines = write("t.jsonl", b"\xef\xbb\xbf" + as_lines({"image": "a.png", "caption": "1"}).encode())
    assert captions(open_corpus(lines)) == {"a.png": ("1",)}


def test_repeated_and_blank_column_names_are_told_apart(write, images):
    table = write("t.csv", as_csv(("image", "caption", "note", "note", ""), ("a.png", "c", "1", "2", "3")))
    assert figures(open_corpus(table))["a.png"].metadata == {"note": 1, "note_2": 2, "column_5": 3}


def test_compressed_tables_are_read(write, images):
    plain = as_csv(("image", "caption"), ("a.png", "1"), ("b.png", "2"), ("a.png", "3"))
    table = write("t.csv.gz", gzip.compress(plain.encode()))
    assert captions(open_corpus(table)) == {"a.png": ("1", "3"), "b.png": ("2",)}
    lines = write("t.jsonl.gz", gzip.compress(as_lines({"image": "a.png", "caption": "1"}).encode()))
    assert captions(open_corpus(lines)) == {"a.png": ("1",)}


def test_a_damaged_compressed_table_is_refused(write):
    whole = gzip.compress(as_lines(*({"image": f"{n}.png", "caption": "c"} for n in range(1000))).encode())
    for name, data in (("cut.jsonl.gz", whole[:-20]), ("text.jsonl.gz", b"no gzip")):
        with pytest.raises(CorpusError, match="the compressed table is damaged"):
            open_corpus(write(name, data))


def test_options_that_change_what_is_read_change_the_fingerprint(tmp_path, write, images):
    table = write("t.csv", as_csv(("image", "caption", "text"), ("a.png", "c", "t")))
    (tmp_path / "images").mkdir()
    prints = {
        open_corpus(table).fingerprint,
        open_corpus(table, caption_columns=["text"]).fingerprint,
        open_corpus(table, caption_columns=["text", "caption"]).fingerprint,
        open_corpus(table, image_column="image").fingerprint,
        open_corpus(table, image_root=tmp_path / "images").fingerprint,
    }
    assert len(prints) == 5


def test_rows_far_apart_are_put_together_in_every_cut(write, images):
    rows = [(f"{n % 50}.png", f"{n}") for n in range(200)]
    corpus = open_corpus(write("t.csv", as_csv(("image", "caption"), *rows)))
    for size in (1, 7, 50):
        assert [item.uri for item in everything(corpus, size)] == [f"{n}.png" for n in range(50)]


TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40), max_size=8)


@pytest.mark.slow
@given(texts=TEXTS, delimiter=st.sampled_from(",;\t"))
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_texts_come_back_from_csv_and_json_lines_as_they_were_written(write, texts, delimiter):
    said = ["no list", *texts]
    rows = [(str(n), text) for n, text in enumerate(said)]
    # All cells quoted: until Python 3.13 the writer leaves a lone carriage return bare, which ends a row.
    table = write("t.csv", as_csv(("id", "caption"), *rows, delimiter=delimiter, quoting=csv.QUOTE_ALL))
    lines = write("t.jsonl", as_lines(*({"id": number, "caption": text} for number, text in rows)))
    for path in (table, lines):
        assert [found for (found,) in captions(open_corpus(path)).values()] == said


@pytest.mark.slow
@given(cells=st.lists(st.one_of(st.none(), st.integers(), st.floats(), st.booleans(), st.text(max_size=5)), max_size=6))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@example(cells=["\r0"])
def test_whatever_a_column_holds_its_values_have_the_declared_type(write, cells):
    python = {"string": str, "date": str, "int64": int, "float64": float, "bool": bool}
    rows = list(enumerate([*cells, None]))
    told = [(n, "c", cell) for n, cell in rows]
    written = as_csv(
        ("id", "caption", "value"), *told, quoting=csv.QUOTE_ALL
    )  # for the carriage return's sake, as above
    table = write("t.csv", written.replace("\0", " "))
    lines = write("t.jsonl", as_lines(*({"id": n, "caption": "c", "value": cell} for n, cell in rows)))
    for path in (table, lines):
        corpus = open_corpus(path)
        kind = python[corpus.columns["value"]]
        values = [figure.metadata["value"] for figure in figures(corpus).values()]
        assert all(value is None or type(value) is kind for value in values)
        assert len(values) == len(cells) + 1


def test_images_written_into_cells_as_base64_are_images(write):
    data = picture("blue")
    text = base64.b64encode(data).decode()
    rows = [
        {"id": "a", "image": text, "caption": "1"},
        {"id": "b", "image": f"data:image/png;base64,{text}", "caption": "2"},
        {"id": "c", "image": {"bytes": text, "path": None}, "caption": "3"},
    ]
    found = figures(open_corpus(write("t.jsonl", as_lines(*rows))))
    assert {name: figure.image for name, figure in found.items()} == dict.fromkeys("abc", data)
    table = write("t.tsv", as_csv(("image_id", "image_base64", "caption"), ("x", text, "1"), delimiter="\t"))
    assert figures(open_corpus(table))["x"].image == data


def test_the_path_of_an_image_may_stand_in_an_object(write, images):
    rows = [{"image": {"file_name": "a.png", "width": 2}, "caption": "1"}, {"image": {"path": "b.png"}, "caption": "2"}]
    found = figures(open_corpus(write("t.jsonl", as_lines(*rows))))
    assert [figure.image for figure in found.values()] == [picture("red"), picture("blue")]


def test_lists_that_numpy_wrote_into_cells_are_lists(write, images):
    rows = [("a.png", "['one' \"isn't\"\n 'three']"), ("b.png", "['four']")]
    table = write("t.csv", as_csv(("image", "caption"), *rows))
    assert captions(open_corpus(table)) == {"a.png": ("one", "isn't", "three"), "b.png": ("four",)}


def test_a_text_table_of_any_name_describes_the_images_beside_it(write, images, tmp_path):
    write("README.txt", "Images of hearts, made by us\n\nThe caption of each stands in list.txt\n")
    write("list.txt", "file\tcaption\na.png\tred\nb.png\tblue\n")
    assert captions(open_corpus(tmp_path)) == {"a.png": ("red",), "b.png": ("blue",)}


@pytest.mark.parametrize("names", ["{}.json", "mine_{}.json", "captions.{}.v2.json"])
def test_tables_of_splits_in_json_are_one_corpus_with_the_column_split(write, names):
    for number, split in enumerate(("train", "val", "test")):
        write(f"images/{number}.png", picture())
        folder = write(names.format(split), json.dumps([{"image": f"{number}.png", "caption": split}])).parent
    found = figures(open_corpus(folder)).values()
    assert {(figure.captions[0], figure.metadata["split"]) for figure in found} == {
        (split, split) for split in ("train", "val", "test")
    }


def test_several_tables_are_refused_with_the_pattern_for_all(write):
    for number in range(2):
        write(f"{number}.png", picture())
        folder = write(f"part-{number}.csv", f"image,caption\n{number}.png,one\n").parent
    with pytest.raises(CorpusError, match=r"several tables.*or '.*/\*\.csv' for all"):
        open_corpus(folder)
    assert len(figures(open_corpus(f"{folder}/*.csv"))) == 2
