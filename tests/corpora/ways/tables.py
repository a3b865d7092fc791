"""Tables of text, JSON and sheets, beside their images or far from them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence

import openpyxl
import pandas

from tests.corpora.ways import TEXTS, WHOLE, Way, images

NAMES = [f"{n}.png" for n in range(3)]
PAIRS = list(zip(NAMES, TEXTS[:3], strict=True))
UMLAUTS = ("Größe des Herzens im Thorax", "Übersicht über das Abdomen", "Färbung der Niere")


def text(rows: Iterable[Sequence[object]], delimiter: str = ",", end: str = "\n") -> str:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator=end).writerows(rows)
    return buffer.getvalue()


def workbook() -> bytes:
    book = openpyxl.Workbook()
    for row in (("Figures of the department",), ("File name", "Legend"), *PAIRS):
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def listed(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"image": name, "caption": said} for name, said in pairs]


def table(pattern: str = "{}.png", image: str = "image", caption: str = "caption") -> str:
    """The pairs as CSV, images called by the pattern."""
    return text([(image, caption), *((pattern.format(n), TEXTS[n]) for n in range(3))])


def llava(name: str, caption: str) -> dict[str, object]:
    asked = {"from": "human", "value": "<image>\nDescribe the figure."}
    return {"id": name, "image": name, "conversations": [asked, {"from": "gpt", "value": caption}]}


GERMAN = list(zip(NAMES, UMLAUTS, strict=True))
IN_GERMAN = tuple((n, (UMLAUTS[n],)) for n in range(3))
COCO = {
    "images": [{"id": n, "file_name": name} for n, name in enumerate(NAMES)],
    "annotations": [{"id": 9 - n, "image_id": n, "caption": caption} for n, (_, caption) in enumerate(PAIRS)],
    "licenses": [],
}
URLS = [f"https://example.org/{n}.jpg" for n in range(3)]
SHEET = "sheet saved by a German Excel as CSV (semicolons, CP1252)"

WAYS = [
    Way("CSV with file and legend", {**images("{}.png"), "captions.csv": text([("File", "Legend"), *PAIRS])}),
    Way(
        f"{SHEET}, encoding named",
        {**images("{}.png"), "liste.csv": text([("Bild", "Beschriftung"), *GERMAN], ";", "\r\n").encode("cp1252")},
        IN_GERMAN,
        options={"encoding": "cp1252"},
    ),
    Way(
        SHEET,
        {**images("{}.png"), "liste.csv": text([("Bild", "Beschriftung"), *GERMAN], ";", "\r\n").encode("cp1252")},
        refusal=r"liste.csv: 3 of 3 rows .* are not UTF-8; save the table as UTF-8 .*--encoding cp1252",
    ),
    Way(
        "sheet saved by Excel as Unicode text (UTF-16, tabs)",
        {**images("{}.png"), "captions.txt": text([("image", "caption"), *GERMAN], "\t", "\r\n").encode("utf-16")},
        IN_GERMAN,
    ),
    Way(
        "sheet saved by Excel as CSV UTF-8, with sep=; above",
        {**images("{}.png"), "figures.csv": "\ufeffsep=;\r\n" + text([("image", "caption"), *PAIRS], ";", "\r\n")},
    ),
    Way("Excel workbook with a title above its columns", {**images("{}.png"), "Figures.xlsx": workbook()}),
    Way(
        "Flickr8k (captions.txt and Images/)",
        {
            **images("Images/{}.jpg"),
            "captions.txt": table("{}.jpg"),
        },
    ),
    Way(
        "Flickr30k (results.csv with blanks around the pipes)",
        {
            **images("flickr30k_images/{}.jpg"),
            "results.csv": "image_name| comment_number| comment\n"
            + "".join(f"{n}.jpg| {k}| {TEXTS[n]} {k}\n" for n in range(3) for k in range(2)),
        },
        tuple((n, tuple(f" {TEXTS[n]} {k}" for k in range(2))) for n in range(3)),
    ),
    Way(
        "TSV that does not quote, with quotation marks in captions",
        {
            **images("{}.png"),
            "captions.tsv": f'image\tcaption\n0.png\t"Bamboo spine\n1.png\tthe "halo" sign\n2.png\t{TEXTS[2]}\n',
        },
        ((0, ('"Bamboo spine',)), (1, ('the "halo" sign',)), WHOLE[2]),
    ),
    Way(
        "CSV with captions of several lines",
        {
            **images("{}.png"),
            "t.csv": text([("image", "caption"), *((name, f"{t},\nso\n\nit is") for name, t in PAIRS)]),
        },
        tuple((n, (f"{TEXTS[n]},\nso\n\nit is",)) for n in range(3)),
    ),
    Way("list of files and captions without a header", {**images("{}.png"), "list.tsv": text(PAIRS, "\t")}),
    Way("CSV below comments", {**images("{}.png"), "t.csv": "# made by hand\n" + table()}),
    Way(
        "ids of images and reports (images/ID.png)",
        {
            **images("images/{}.png"),
            "reports.csv": table("{}", "image_id", "report"),
        },
    ),
    Way(
        "columns of any name, images and captions known by content",
        {**images("{}.png"), "t.csv": text([("Datei", "Befund", "Jahr"), *((*pair, 2020) for pair in PAIRS)])},
    ),
    Way(
        "columns of any name, several of texts",
        {
            **images("{}.png"),
            "t.csv": text([("Datei", "Befund", "Frage"), *((*pair, pair[1][::-1]) for pair in PAIRS)]),
        },
        refusal=r"'Befund' and 'Frage' look like captions by what they hold.*--images-only",
    ),
    Way(
        "columns of any name, several of texts, one named",
        {
            **images("{}.png"),
            "t.csv": text([("Datei", "Befund", "Frage"), *((*pair, pair[1][::-1]) for pair in PAIRS)]),
        },
        options={"caption_columns": "Befund"},
    ),
    Way(
        "absolute paths of another machine",
        {
            **images("images/a/{}.png"),
            "t.csv": table("/home/x/y/images/a/{}.png", "path"),
        },
    ),
    Way(
        "paths written on Windows",
        {
            **images("images/{}.png"),
            "t.csv": table("C:\\data\\images\\{}.png", "path"),
        },
    ),
    Way(
        "table in a folder beside that of the images",
        {**images("images/{}.png"), "annotations/captions.csv": table()},
    ),
    Way(
        "images in folders by class, one table",
        {
            **{f"{'ab'[n % 2]}/{n}.png": data for n, data in enumerate(images("{}.png").values())},
            "captions.csv": table(),
        },
    ),
    Way(
        "table of captions and table of labels",
        {
            **images("{}.png"),
            "captions.csv": table(),
            "labels.csv": text([("image", "label"), *((name, "CT") for name in NAMES)]),
        },
        unread={"labels.csv": "table without captions"},
    ),
    Way(
        "JSON list of objects",
        {**images("{}.png"), "captions.json": json.dumps(listed(PAIRS))},
    ),
    Way("JSON object by file name", {**images("{}.png"), "captions.json": json.dumps(dict(PAIRS))}),
    Way(
        "kohya-ss (meta_cap.json, paths without suffix)",
        {**images("img/{}.png"), "meta_cap.json": json.dumps({f"img/{n}": {"caption": TEXTS[n]} for n in range(3)})},
    ),
    Way("COCO under another name", {**images("train/{}.png"), "my_set.json": json.dumps(COCO)}),
    Way("LLaVA conversations", {**images("{}.png"), "chat.json": json.dumps([llava(*pair) for pair in PAIRS])}),
    Way(
        "JSON that pandas writes",
        {**images("{}.png"), "frame.json": pandas.DataFrame(PAIRS, columns=["image", "caption"]).to_json()},
    ),
    Way(
        "JSON of splits",
        {
            **images("{}.png"),
            "data.json": json.dumps(
                {
                    "train": listed(PAIRS[:2]),
                    "test": listed(PAIRS[2:]),
                }
            ),
        },
    ),
    Way(
        "JSON lines with commas and a mark",
        {**images("{}.png"), "t.jsonl": "\ufeff" + ",\r\n".join(json.dumps({"image": n, "text": t}) for n, t in PAIRS)},
    ),
    Way(
        "CSV of URLs",
        {"laion.csv": text([("URL", "TEXT"), *zip(URLS, TEXTS, strict=False)])},
        refusal=r"only named by URL \(column 'URL'\).*img2dataset --url_list laion.csv .*caption_columns",
        source="laion.csv",
    ),
    Way(
        "Conceptual Captions (TSV of captions and URLs without a header)",
        {"Train-GCC-training.tsv": text(zip(TEXTS, URLS, strict=False), "\t")},
        refusal=r"only named by URL .*img2dataset",
        source="Train-GCC-training.tsv",
    ),
    Way(
        "CSV of URLs, captions alone wanted",
        {"laion.csv": text([("URL", "TEXT"), *zip(URLS, TEXTS, strict=False)])},
        tuple((None, (t,)) for t in TEXTS[:3]),
        source="laion.csv",
        options={"caption_columns": "TEXT"},
    ),
]
