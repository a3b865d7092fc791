"""Folders of images with captions beside them, archives of such folders, and files that are not read."""

from __future__ import annotations

import json
import unicodedata

from tests.corpora.jats import zipped
from tests.corpora.ways import PICTURES, TEXTS, WHOLE, Way, images


def texts(pattern: str, count: int = 3) -> dict[str, str]:
    """The first captions under numbered names: captions/{}.txt."""
    return {pattern.format(n): TEXTS[n] for n in range(count)}


BARE = tuple((n, ()) for n in range(3))
ALONE = tuple((None, (text,)) for text in TEXTS[:3])
PAIRS = {**images("images/{}.png"), **texts("images/{}.txt")}
KAGGLE = {**images("Images/{}.png"), "captions.txt": "image,caption\n" + "".join(f"{n}.png,c\n" for n in range(3))}
BOXES = {**images("images/{}.png"), **{f"labels/{n}.txt": "0 0.5 0.5 0.2 0.2" for n in range(3)}}
TAKEOUT = {f"{n}.png.json": json.dumps({"title": f"{n}.png", "description": TEXTS[n]}) for n in range(3)}
COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Röntgen{}") for form in ("NFC", "NFD"))
NOT_READ = "no images and no captions in this folder .*"

WAYS = [
    Way("image.png and image.txt in one folder", {**images("{}.png"), **texts("{}.txt")}),
    Way("image.png and image.caption", {**images("{}.png"), **texts("{}.caption")}),
    Way(
        "image.png and image.md",
        {**images("{}.png"), **texts("{}.md"), "README.md": "about"},
        unread={"README.md": "text of no image of this name"},
    ),
    Way("image.png and image.png.txt (gallery-dl)", {**images("{}.png"), **texts("{}.png.txt")}),
    Way(
        "image.png and image.json with a caption in it",
        {**images("{}.png"), **{f"{n}.json": json.dumps({"caption": TEXTS[n], "age": n}) for n in range(3)}},
    ),
    Way("Google Takeout (image.png.json with a description)", {**images("{}.png"), **TAKEOUT}),
    Way("IMG_1.PNG and img_1.txt", {**images("IMG_{}.PNG"), **texts("img_{}.TXT")}),
    Way("names composed on Windows, decomposed on a Mac", {**images(COMPOSED + ".png"), **texts(DECOMPOSED + ".txt")}),
    Way("folders images and captions", {**images("images/{}.png"), **texts("captions/{}.txt")}),
    Way(
        "folders images and text within train and test",
        {
            f"{split}/{path}": content
            for number, split in ((0, "train"), (1, "test"))
            for path, content in ((f"images/{number}.png", PICTURES[number]), (f"text/{number}.txt", TEXTS[number]))
        },
        WHOLE[:2],
    ),
    Way(
        "a folder a class, captions beside the images",
        {**images("CT/{}.png", 2), **texts("CT/{}.txt", 2), "MR/2.png": PICTURES[2], "MR/2.txt": TEXTS[2]},
    ),
    Way(
        "a folder a case, each with its image and report.txt",
        {
            **{f"case{n}/{name}.png": PICTURES[n] for n, name in enumerate("abc")},
            **texts("case{}/report.txt"),
            "README.txt": "about",
        },
        unread={"README.txt": "text of no image of this name"},
    ),
    Way(
        "a folder a case, several images with one report.txt",
        {**images("case{}/a.png"), "case0/b.png": PICTURES[3], **texts("case{}/report.txt")},
        refusal=r"4 images without any caption, .*case0/report.txt",
    ),
    Way("images whose names have no suffix, and texts", {**images("IM{}"), **texts("IM{}.txt")}),
    Way(
        "images called by the address they came from", {**images("{}.png?size=large"), **texts("{}.png?size=large.txt")}
    ),
    Way(
        "texts in UTF-16, as Notepad saves them",
        {**images("{}.png"), **{name: text.encode("utf-16") for name, text in texts("{}.txt").items()}},
    ),
    Way(
        "texts in CP1252, encoding named",
        {"0.png": PICTURES[0], "0.txt": "Größe".encode("cp1252")},
        ((0, ("Größe",)),),
        options={"encoding": "cp1252"},
    ),
    Way(
        "texts in CP1252",
        {"0.png": PICTURES[0], "0.txt": "Größe".encode("cp1252")},
        (),
        skips={"0.png": "caption is not UTF-8 text"},
    ),
    Way("images alone, in a folder a class", images("class{}/a.png"), BARE),
    Way("captions alone", texts("{}.txt"), ALONE),
    Way(
        "images with a readme and a licence",
        {**images("{}.png"), "README.txt": "about", "LICENSE": "CC BY"},
        BARE,
        unread={"README.txt": "text of no image of this name", "LICENSE": "kind is not known, its name has no suffix"},
    ),
    Way(
        "image_1.png and caption_1.txt",
        {**images("image_{}.png"), **texts("caption_{}.txt")},
    ),
    Way(
        "image_1.png and panel_1.txt",
        {**images("image_{}.png"), **texts("panel_{}.txt")},
        refusal=r"3 images without any caption, .*panel_0.txt \(text of no image of this name\).*--images-only",
    ),
    Way(
        "the same, the images alone wanted",
        {**images("image_{}.png"), **texts("panel_{}.txt")},
        BARE,
        options={"images_only": True},
        unread=dict.fromkeys(texts("panel_{}.txt"), "text of no image of this name"),
    ),
    Way("images and labels of YOLO", BOXES, refusal=r"3 images without any caption, .*labels/0.txt"),
    Way(
        "images and a Word document of captions",
        {**images("{}.png"), "captions.docx": b"PK"},
        refusal=r"captions.docx \(document: captions are not taken out of it\)",
    ),
    Way(
        "images and a database",
        {**images("{}.png"), "figures.sqlite": b"SQLite format 3"},
        refusal=r"figures.sqlite \(database: export its table as CSV or Parquet\)",
    ),
    Way(
        "images and XMP sidecars of Lightroom",
        {**images("{}.png"), **{f"{n}.xmp": "<x/>" for n in range(3)}},
        refusal=r"0.xmp \(document: captions are not taken out of it\)",
    ),
    Way(
        "images and a zip of captions",
        {**images("{}.png"), "captions.zip": zipped(texts("{}.txt"))},
        refusal=r"captions.zip \(archive: unpack it first\)",
    ),
    Way("zip of images and their captions", {"figures.zip": zipped(PAIRS)}, source="figures.zip"),
    Way(
        "zip of images and a table",
        {"archive.zip": zipped(KAGGLE)},
        source="archive.zip",
        refusal=r"3 images without any caption.*captions.txt.*unpack it first, and give the folder",
    ),
    Way(
        "zips in a folder",
        {"part1.zip": zipped(PAIRS), "part2.zip": zipped(PAIRS)},
        refusal=rf"{NOT_READ}\(2 .zip; archive: unpack it first\)",
    ),
    Way(
        "zip in a zip",
        {"a.zip": zipped({"b.zip": zipped(PAIRS)})},
        source="a.zip",
        refusal=r"no images and no captions in this archive \(1 .zip; archive: unpack it first\)",
    ),
    Way(
        "7z and rar",
        {"figures.7z": b"7z", "figures.rar": b"Rar!"},
        source="figures.7z",
        refusal=r"not a kind of corpus that can be read \(archive: unpack it first\)",
    ),
    Way(
        "HEIC of a telephone, with captions",
        {"0.png": PICTURES[0], "1.HEIC": b"x", **texts("{}.txt", 2)},
        WHOLE[:1],
        skips={"1.HEIC": "HEIC image: convert it to PNG or JPEG"},
    ),
    Way(
        "JPEG 2000, AVIF and JPEG XL beside PNG",
        {**PAIRS, "a.jp2": b"x", "b.avif": b"x", "c.jxl": b"x"},
        unread={
            "a.jp2": "JPEG 2000 image: convert it to PNG or JPEG",
            "b.avif": "AVIF image: convert it to PNG or JPEG",
            "c.jxl": "JPEG XL image: convert it to PNG or JPEG",
        },
    ),
    Way(
        "drawings as SVG and EPS beside their PNG",
        {**PAIRS, "images/0.svg": b"<svg/>", "images/1.eps": b"%!PS"},
        unread={
            "images/0.svg": "SVG drawing: convert it to PNG",
            "images/1.eps": "PostScript drawing: convert it to PNG",
        },
    ),
    Way(
        "DICOM series",
        {"s1/a.dcm": b"x", "s1/b.dcm": b"x"},
        refusal=rf"{NOT_READ}2 .dcm; DICOM image: convert it to PNG",
    ),
    Way(
        "whole slides",
        {"a.svs": b"x", "a.txt": "a slide"},
        refusal=rf"{NOT_READ}whole slide: export regions of it as PNG or TIFF",
    ),
    Way(
        "volumes (NIfTI) with reports",
        {"scan.nii.gz": b"x", "scan.txt": "a report"},
        refusal=rf"{NOT_READ}volume: export slices of it as PNG",
    ),
    Way(
        "PDF articles with their text",
        {"a.pdf": b"%PDF", "a.txt": "the text"},
        refusal=rf"{NOT_READ}PDF: figures are not taken out of it",
    ),
    Way("films with captions", {"a.mp4": b"x", "a.txt": "a film"}, refusal=rf"{NOT_READ}film: its frames are not read"),
    Way(
        "slides of a talk",
        {"talk.pptx": b"PK"},
        source="talk.pptx",
        refusal=r"not a kind of corpus that can be read \(slides: figures are not taken out of them\)",
    ),
    Way(
        "arrays (NumPy, HDF5)",
        {"x.npz": b"PK", "y.h5": b"x"},
        refusal=rf"{NOT_READ}arrays: save pictures as PNG or TIFF",
    ),
    Way("one image", {"a.png": PICTURES[0]}, source="a.png", refusal="is one image; give the folder that it lies in"),
    Way("what macOS leaves behind", {**PAIRS, ".DS_Store": b"x", "__MACOSX/images/._0.png": b"x", "._0.txt": b"x"}),
]
