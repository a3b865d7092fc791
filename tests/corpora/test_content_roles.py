"""Columns are known by their names, else by what they hold; what nobody can tell is refused, and nothing lost."""

from __future__ import annotations

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from retrieval.types import Figure
from tests.corpora.conftest import picture
from tests.corpora.reading import captions, everything, figures

TEXTS = ["axial CT of the abdomen", "frontal radiograph of the chest", "Western blot of three proteins"]
CHINESE = ["胸部正位X线片显示肺炎", "腹部CT显示肝脏病变", "脑部磁共振成像显示肿瘤"]


@pytest.fixture
def folder(write):
    """Three images, 0.png to 2.png."""
    for n in range(3):
        path = write(f"data/{n}.png", picture(("red", "blue", "green")[n]))
    return path.parent


def table(folder, **columns: list[str]):
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=";").writerows([columns, *zip(*columns.values(), strict=True)])
    path = folder / "list.csv"
    path.write_text(buffer.getvalue(), encoding="utf-8")
    return path


FILES = ["0.png", "1.png", "2.png"]
EXPECTED = dict(zip(FILES, [(text,) for text in TEXTS], strict=True))


@pytest.mark.parametrize(
    ("image", "caption"),
    [
        ("File", "Legend"),
        ("Bild", "Beschriftung"),
        ("imagePath", "figCaption"),
        ("ImageFile", "AltText"),
        ("jpg", "txt"),
        ("Fichier", "Légende"),
        ("local file", "what is seen"),
        ("Figure", "Befund"),
        ("写真", "説明文"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".png"])
def test_pairs_are_found_by_names_or_by_content(folder, image, caption, suffix):
    said = [f"{n}{suffix}" for n in range(3)]
    path = table(folder, **{image: said, caption: TEXTS, "year": ["2020", "2021", "2020"], "kind": ["CT", "CR", "CT"]})
    for source in (path, folder):
        found = {figure.uri: figure.captions for figure in figures(open_corpus(source)).values()}
        assert found == dict(zip(said, EXPECTED.values(), strict=True))


def test_what_was_decided_by_content_is_said(folder):
    corpus = open_corpus(table(folder, Datei=FILES, Befund=TEXTS))
    assert corpus.notes == [
        "list.csv: column 'Datei' names the images, as files are there that are called so",
        "list.csv: column 'Befund' holds the captions, as no other holds texts",
    ]
    assert open_corpus(table(folder, image=FILES, caption=TEXTS)).notes == []


def test_texts_without_spaces_are_texts(folder):
    assert list(captions(open_corpus(table(folder, A=FILES, B=CHINESE))).values()) == [(text,) for text in CHINESE]


def test_images_named_by_their_ids_are_found(folder):
    found = figures(open_corpus(table(folder, image_id=["0", "1", "2"], caption=TEXTS)))
    assert [figure.image is not None for figure in found.values()] == [True] * 3


def test_several_columns_of_texts_are_refused_unless_one_is_named_or_none_meant(folder):
    path = table(folder, image=FILES, history=TEXTS, Befund=TEXTS[::-1])
    with pytest.raises(CorpusError, match=r"no column looks like captions.*'history' and 'Befund' look like captions"):
        open_corpus(path)
    assert captions(open_corpus(path, caption_columns="history")) == EXPECTED
    assert captions(open_corpus(path, images_only=True)) == dict.fromkeys(FILES, ())


def test_images_with_labels_are_images_without_captions(folder):
    found = captions(open_corpus(table(folder, image=FILES, label=["cat", "dog", "cat"], year=["1", "2", "3"])))
    assert found == dict.fromkeys(FILES, ())


def test_a_refusal_lists_the_columns_and_says_what_they_look_like(write):
    path = write("t.csv", "Datei,Befund,Notiz\nx.png,a red heart there,b c d\ny.png,a blue lung here,d e f\n")
    with pytest.raises(
        CorpusError, match=r"'Datei', 'Befund', 'Notiz' \('Datei' looks like images.* by what they hold"
    ):
        open_corpus(path)


def test_columns_may_be_named_by_their_numbers(folder):
    path = folder / "t.csv"
    path.write_text("\n".join(f"{n}.png,{n},{text}" for n, text in enumerate(TEXTS)))
    assert captions(open_corpus(path, image_column="1", caption_columns="3")) == EXPECTED
    assert captions(open_corpus(path)) == EXPECTED
    with pytest.raises(CorpusError, match="there is no column '4'; its columns are 'column_1'"):
        open_corpus(path, image_column="4")


@pytest.mark.parametrize(
    ("name", "urls"),
    [
        ("url", "https://example.org/{}.jpg?size=1"),
        ("URL", "http://example.org/{}.png"),
        ("image_url", "https://example.org/{}"),
        ("image", "https://example.org/{}"),
        ("img", "s3://bucket/{}.png"),
        ("link", "https://example.org/{}.JPG"),
    ],
)
def test_images_that_are_only_named_by_url_are_refused_with_the_way_out(folder, name, urls):
    path = table(folder, **{name: [urls.format(n) for n in range(3)], "caption": TEXTS})
    with pytest.raises(
        CorpusError, match=r"only named by URL.*img2dataset.*or name caption_columns to index the captions"
    ):
        open_corpus(path)
    found = figures(open_corpus(path, caption_columns="caption"))
    assert [figure.captions for figure in found.values()] == list(EXPECTED.values())
    assert [figure.image for figure in found.values()] == [None] * 3


def test_urls_of_articles_and_urls_beside_images_are_metadata(folder):
    urls = [f"https://example.org/article/{n}" for n in range(3)]
    assert len(figures(open_corpus(table(folder, url=urls, caption=TEXTS)))) == 3
    images = [f"https://example.org/{n}.png" for n in range(3)]
    corpus = open_corpus(table(folder, file=FILES, url=images, caption=TEXTS))
    assert captions(corpus) == EXPECTED
    assert corpus.columns == {"url": "string"}


def test_captions_of_several_languages_and_parts_of_a_report_are_captions(folder):
    found = captions(open_corpus(table(folder, image=FILES, caption_en=TEXTS, caption_de=TEXTS[::-1])))
    assert found["0.png"] == (TEXTS[0], TEXTS[2])
    found = captions(open_corpus(table(folder, image=FILES, findings=TEXTS, impression=TEXTS[::-1])))
    assert found["0.png"] == (TEXTS[0], TEXTS[2])


def test_embedded_images_of_parquet_have_their_texts_too(tmp_path):
    images = [picture("red"), picture("blue")]
    pq.write_table(pa.table({"scan": images, "Befund": TEXTS[:2], "n": [1, 2]}), tmp_path / "t.parquet")
    found = [item for item in everything(open_corpus(tmp_path / "t.parquet")) if isinstance(item, Figure)]
    assert [(figure.image, figure.captions) for figure in found] == list(
        zip(images, [(t,) for t in TEXTS[:2]], strict=True)
    )


def test_nested_rows_of_json_lines_are_looked_at_too(folder):
    path = folder / "t.jsonl"
    path.write_text(
        "".join(json.dumps({"where": {"x": n}, "f": f"{n}.png", "says": [t]}) + "\n" for n, t in enumerate(TEXTS))
    )
    assert captions(open_corpus(path)) == EXPECTED


def test_paths_of_another_machine_in_a_column_of_any_name_are_images(folder):
    path = table(folder, Ablage=[f"D:\\Bilder\\{n}.png" for n in range(3)], Befund=TEXTS)
    found = figures(open_corpus(path))
    assert [figure.captions for figure in found.values()] == list(EXPECTED.values())
    assert all(figure.image for figure in found.values())


@pytest.mark.parametrize("columns", ["files", "first_picture,second_picture"])
def test_captions_beside_names_of_images_that_cannot_be_told_are_refused(write, columns):
    names = [f"{row}{letter}.png" for row in "12" for letter in "ab"]
    cells = ["1a.png;1b.png", "2a.png;2b.png"] if columns == "files" else ["1a.png,1b.png", "2a.png,2b.png"]
    for name in names:
        write(name, picture())
    lines = [f"{columns},caption", *(f"{cell},some words here" for cell in cells)]
    table = write("list.csv", "\n".join(lines))
    for source in (table, table.parent):
        with pytest.raises(CorpusError, match=r"look.* like images.*image_column"):
            open_corpus(source)
    assert len(captions(open_corpus(table, caption_columns="caption"))) == 2


def test_a_table_of_captions_beside_images_elsewhere_asks_for_the_column_of_images(write):
    for number in range(2):
        write(f"train/IC_{number}.png", picture())
    folder = write("list.csv", "ID,caption\nIC_0,a red heart\nIC_1,a blue lung\n").parent
    with pytest.raises(CorpusError, match=r"without a column that is known to name images.*name it with image_column"):
        open_corpus(folder)
    assert captions(open_corpus(folder, image_column="ID")) == {"IC_0": ("a red heart",), "IC_1": ("a blue lung",)}
