"""A folder of images with sidecars."""

from __future__ import annotations

import json
import os

import pytest

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from tests.corpora.conftest import picture
from tests.corpora.reading import captions, everything, figures, skips


def test_images_and_captions_are_paired_by_stem(tmp_path, write):
    for name in ("b", "a", "c"):
        write(f"{name}.jpg", picture(kind="JPEG"))
        write(f"{name}.txt", f"the caption of {name}")
    corpus = open_corpus(tmp_path)
    assert corpus.kind == "folder"
    found = figures(corpus)
    assert list(found) == ["a", "b", "c"]
    assert found["b"].captions == ("the caption of b",)
    assert found["b"].image == picture(kind="JPEG")
    assert found["b"].uri == "b.jpg"


def test_equal_stems_in_different_folders_are_different_figures(tmp_path, write):
    for folder in ("train", "test", "test/deeper"):
        write(f"{folder}/1.png", picture())
        write(f"{folder}/1.txt", folder)
    assert captions(open_corpus(tmp_path)) == {
        "test/1": ("test",),
        "test/deeper/1": ("test/deeper",),
        "train/1": ("train",),
    }


def test_a_stem_ends_at_the_last_dot(tmp_path, write):
    for name in ("fig.1", "fig.2"):
        write(f"{name}.png", picture())
        write(f"{name}.txt", f"caption of {name}")
    assert captions(open_corpus(tmp_path)) == {"fig.1": ("caption of fig.1",), "fig.2": ("caption of fig.2",)}


def test_two_images_of_one_stem_keep_their_suffixes_and_share_the_caption(tmp_path, write):
    write("a.jpg", picture(kind="JPEG"))
    write("a.png", picture())
    write("a.txt", "both")
    write("b.png", picture())
    assert captions(open_corpus(tmp_path)) == {"a.jpg": ("both",), "a.png": ("both",), "b": ()}


def test_a_stem_that_looks_like_another_figures_name_stays_unique(tmp_path, write):
    for name in ("a.jpg", "a.png", "a.jpg.jpg", "a.png.gif"):
        write(name, picture())
    assert set(figures(open_corpus(tmp_path))) == {"a.jpg", "a.jpg.jpg", "a.png", "a.png.gif"}


@pytest.mark.parametrize("name", ["{0}", "a b", "größe µm", "図1", "100%", "#1", "[x]", "it's", "a.b.c", "-"])
def test_unusual_names_are_read(tmp_path, write, name):
    write(f"{name}/{name}.PNG", picture())
    write(f"{name}/{name}.TXT", "found")
    assert captions(open_corpus(tmp_path)) == {f"{name}/{name}": ("found",)}


def test_a_file_name_that_is_not_utf_8_gives_an_id_that_is(tmp_path):
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(picture())
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    (figure,) = figures(open_corpus(tmp_path)).values()
    assert figure.figure_id.encode() == b"caf\\xe9"
    assert figure.image == picture()


def test_hidden_files_and_those_of_macos_are_not_figures(tmp_path, write):
    write("a.png", picture())
    for name in ("._a.png", ".hidden/b.png", "__MACOSX/a.png", "sub/.DS_Store", "sub/.c.txt"):
        write(name, picture())
    assert list(figures(open_corpus(tmp_path))) == ["a"]


def test_links_in_circles_are_followed_once(tmp_path, write):
    write("sub/a.png", picture())
    (tmp_path / "sub" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "twin").symlink_to(tmp_path / "sub", target_is_directory=True)
    assert list(figures(open_corpus(tmp_path))) == ["sub/a"]


def test_a_caption_with_line_breaks_stays_one_caption(tmp_path, write):
    write("a.png", picture())
    write("a.txt", "(A) Before.\r\n\r\n(B) After.\n")
    assert captions(open_corpus(tmp_path)) == {"a": ("(A) Before.\r\n\r\n(B) After.",)}


def test_a_blank_caption_is_passed_on_as_blank(tmp_path, write):
    write("a.png", picture())
    write("a.txt", "")
    assert captions(open_corpus(tmp_path)) == {"a": ("",)}


def test_a_byte_order_mark_is_no_part_of_the_caption(tmp_path, write):
    write("a.txt", b"\xef\xbb\xbfcell")
    assert captions(open_corpus(tmp_path)) == {"a": ("cell",)}


def test_a_caption_that_is_not_utf_8_is_skipped_with_the_reason(tmp_path, write):
    write("a.png", picture())
    write("a.txt", "Größe".encode("latin-1"))
    write("b.png", picture())
    assert skips(open_corpus(tmp_path)) == {"a.png": "caption is not UTF-8 text"}


def test_a_sidecar_in_json_gives_captions_article_metadata_and_the_rest(tmp_path, write):
    first = {"caption": "one", "PMCID": "PMC1", "licence": "CC-BY", "year": 2020, "tags": ["x"], "width": 4}
    second = {"captions": ["one", "two"], "pmid": 77, "licence": None, "year": 2021, "score": 1}
    third = {"text": "a text", "score": 0.5, "year": None}
    for name, sidecar in (("a", first), ("b", second), ("c", third)):
        write(f"{name}.png", picture())
        write(f"{name}.json", json.dumps(sidecar))
    write("d.png", picture())
    corpus = open_corpus(tmp_path)
    assert corpus.columns == {"licence": "string", "year": "int64", "score": "float64"}
    found = figures(corpus)
    assert found["a"].captions == ("one",)
    assert found["a"].article_id == "PMC1"
    assert found["a"].metadata == {"licence": "CC-BY", "year": 2020, "score": None}
    assert found["a"].extra == {"tags": ["x"], "width": 4}  # width is ours to say
    assert (found["b"].captions, found["b"].article_id) == (("one", "two"), "77")
    assert found["c"].captions == ("a text",)
    assert found["d"].metadata == {"licence": None, "year": None, "score": None}


def test_a_text_file_goes_before_the_caption_in_json(tmp_path, write):
    write("a.png", picture())
    write("a.txt", "from text")
    write("a.json", json.dumps({"caption": "from json", "title": "T"}))
    write("b.png", picture())
    write("b.txt", "the same")
    write("b.json", json.dumps({"caption": "the same"}))
    found = figures(open_corpus(tmp_path))
    assert found["a"].captions == ("from text",)
    assert found["a"].extra == {"caption": "from json"}
    assert found["a"].metadata == {"title": "T"}
    assert (found["b"].captions, found["b"].extra) == (("the same",), {})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"caption": ', "sidecar is not valid JSON"),
        (b"\xff\xfe", "sidecar is not valid JSON"),
        (b"[" * 100_000, "sidecar is not valid JSON"),
        (b"7", "sidecar is not a JSON object"),
    ],
)
def test_a_broken_sidecar_is_skipped_with_the_reason(tmp_path, write, content, reason):
    write("a.png", picture())
    write("a.json", content)
    write("b.png", picture())
    assert skips(open_corpus(tmp_path)) == {"a.png": reason}


def test_a_later_value_that_does_not_fit_its_column_goes_to_extra(tmp_path, write, monkeypatch):
    monkeypatch.setattr("retrieval.corpora.folder.SAMPLE", 1)
    for name, year in (("a", 2020), ("b", "unknown")):
        write(f"{name}.png", picture())
        write(f"{name}.json", json.dumps({"caption": name, "year": year}))
    corpus = open_corpus(tmp_path)
    assert corpus.columns == {"year": "int64"}
    assert figures(corpus)["b"].metadata == {"year": None}
    assert figures(corpus)["b"].extra == {"year": "unknown"}


def test_half_a_character_in_json_does_not_reach_the_caption(tmp_path, write):
    write("a.png", picture())
    write("a.json", b'{"caption": "cell \\ud83d", "note": "\\udc00"}')
    figure = figures(open_corpus(tmp_path))["a"]
    assert figure.captions == ("cell \ufffd",)
    assert figure.metadata == {"note": "\ufffd"}


def test_images_alone_and_captions_alone_are_corpora(tmp_path, write):
    write("images/a.tif", picture(kind="TIFF"))
    assert captions(open_corpus(tmp_path / "images")) == {"a": ()}
    write("captions/a.txt", "text")
    (figure,) = figures(open_corpus(tmp_path / "captions")).values()
    assert (figure.image, figure.captions, figure.uri) == (None, ("text",), "a.txt")


def account(folder) -> tuple[str, dict[str, str]]:
    """The account's roles as a sentence, and why each file was not read. It has to balance."""
    made = open_corpus(folder, images_only=True).account
    assert made.files == sum(made.read.values()) + len(made.unread)
    assert made.files == sum(len(names) for _, _, names in os.walk(folder))
    return ", ".join(f"{count} {role}" for role, count in made.read.items()), {s.uri: s.reason for s in made.unread}


def test_a_stray_text_or_json_file_is_no_figure_and_is_named(tmp_path, write):
    write("a.png", picture())
    write("a.json", '{"caption": "a"}')
    write("b.txt", "no image")
    write("00000_stats.json", '{"count": 1}')
    assert captions(open_corpus(tmp_path)) == {"a": ("a",)}
    assert account(tmp_path) == (
        "1 image, 1 sidecar",
        {"00000_stats.json": "JSON of no image of this name", "b.txt": "text of no image of this name"},
    )


@pytest.mark.parametrize("suffix", [".txt", ".caption", ".captions", ".cap", ".text", ".TXT", ".jpg.txt"])
def test_captions_of_any_common_suffix_are_read(tmp_path, write, suffix):
    write("1.jpg", picture(kind="JPEG"))
    write(f"1{suffix}", "seen")
    assert captions(open_corpus(tmp_path)) == {"1": ("seen",)}


def test_a_json_file_named_after_the_whole_image_is_its_sidecar(tmp_path, write):
    for name in ("a.jpg", "a.png"):
        write(name, picture())
        write(f"{name}.json", json.dumps({"caption": name, "year": 2000}))
    assert captions(open_corpus(tmp_path)) == {"a.jpg": ("a.jpg",), "a.png": ("a.png",)}


def test_of_two_captions_of_an_image_the_one_that_is_not_taken_is_named(tmp_path, write):
    write("a.png", picture())
    write("a.txt", "first")
    write("a.caption", "second")
    assert captions(open_corpus(tmp_path)) == {"a": ("first",)}
    assert account(tmp_path)[1] == {"a.caption": "another file holds the caption of this image"}


@pytest.mark.parametrize(
    ("image", "caption"),
    [
        ("images/1.png", "captions/1.txt"),
        ("images/deep/1.png", "captions/deep/1.txt"),
        ("train/images/1.png", "train/captions/1.txt"),
        ("images/train/1.png", "text/train/1.json"),
        ("images/1.png", "1.txt"),
        ("images/PMC1/1.png", "captions/1.txt"),
        ("1.png", "captions/1.png.txt"),
        ("IMAGES/One.PNG", "captions/one.txt"),
        ("Images/caf\u00e9.png", "Text/cafe\u0301.txt"),
        ("caf\u00e9.png", "cafe\u0301.txt"),
        ("fig1/image.png", "fig1/caption.txt"),
        ("image_1.png", "caption_1.txt"),
        ("a.png", "a_caption.txt"),
        ("a.jpg", "a.jpg.supplemental-metadata.json"),
        ("a.jpg", "a.jpg.suppl.json"),
    ],
)
def test_captions_in_a_folder_beside_that_of_the_images_are_paired_by_stem(tmp_path, write, image, caption):
    write(image, picture())
    write(caption, "seen" if not caption.endswith(".json") else '{"caption": "seen"}')
    (figure,) = figures(open_corpus(tmp_path)).values()
    assert (figure.uri, figure.captions) == (image, ("seen",))


def test_a_caption_of_two_images_in_other_folders_is_no_guess(tmp_path, write):
    for folder in ("a", "b"):
        write(f"{folder}/1.png", picture())
    write("captions/1.txt", "of which")
    with pytest.raises(CorpusError, match=r"captions/1.txt .caption of several images of this name in other folders"):
        open_corpus(tmp_path)
    assert captions(open_corpus(tmp_path, images_only=True)) == {"a/1": (), "b/1": ()}


def test_boxes_beside_images_are_no_captions(tmp_path, write):
    write("images/1.png", picture())
    write("labels/1.txt", "0 0.5 0.5 0.1 0.1")
    assert account(tmp_path)[1] == {"labels/1.txt": "text of no image of this name"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("captions.csv", "Alpha,Beta\n17,18\n"),
        ("legends.xlsx", b"PK"),
        ("captions.json", '{"version": 3}'),
        ("texts/17.txt", "seen"),
        ("captions.docx", b"PK"),
        ("captions.md", "# 1"),
        ("legends.tex", "seen"),
        ("captions.pkl", b"?"),
        ("images/1.xmp", "<x/>"),
        ("descript.ion", "1.png seen"),
    ],
)
def test_images_without_captions_beside_what_could_hold_them_are_refused(tmp_path, write, name, content):
    write("images/1.png", picture())
    write("images/2.png", picture())
    write(name, content)
    with pytest.raises(CorpusError, match=f"2 images without any caption.*{name}.*--images-only") as refused:
        open_corpus(tmp_path)
    assert [skip.uri for skip in refused.value.account.unread] == [name]
    assert set(captions(open_corpus(tmp_path, images_only=True)).values()) == {()}


def test_captions_beside_an_archive_of_images_are_refused(tmp_path, write):
    write("captions/1.txt", "seen")
    write("images.zip", b"PK")
    with pytest.raises(CorpusError, match=r"1 captions without any image, .*images.zip \(archive: unpack it first\)"):
        open_corpus(tmp_path)


def test_json_files_without_a_known_key_are_refused_until_the_key_is_named(tmp_path, write):
    for name in "ab":
        write(f"{name}.png", picture())
        write(f"{name}.json", json.dumps({"figure-ID": name, "0-originally-extracted": f"a plot of {name}", "n": 3}))
    with pytest.raises(
        CorpusError, match=r"under '0-originally-extracted' \(a.json\); name the key .*--caption-column"
    ):
        open_corpus(tmp_path)
    named = open_corpus(tmp_path, caption_columns="0-originally-extracted")
    assert captions(named) == {"a": ("a plot of a",), "b": ("a plot of b",)}
    assert named.columns == {"n": "int64"}


def test_captions_in_other_encodings_are_read_where_they_say_so_or_are_named(tmp_path, write):
    for name, data in (
        ("a", "Größe".encode("utf-16")),
        ("b", "Größe".encode("utf-8-sig")),
        ("c", "Größe".encode("cp1252")),
    ):
        write(f"{name}.png", picture())
        write(f"{name}.txt", data)
    assert skips(open_corpus(tmp_path)) == {"c.png": "caption is not UTF-8 text"}
    assert set(captions(open_corpus(tmp_path, encoding="cp1252")).values()) == {("Größe",)}
    with pytest.raises(CorpusError, match="no such encoding"):
        open_corpus(tmp_path, encoding="cp9999")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("a.7z", "archive"), ("a.pdf", "PDF"), ("a.sqlite", "database"), ("a.docx", "document"), ("a.heic", "HEIC")],
)
def test_a_source_of_a_kind_that_is_not_read_says_why(tmp_path, write, name, reason):
    write(name, b"?")
    with pytest.raises(CorpusError, match=rf"not a kind of corpus that can be read \({reason}.*; give a folder"):
        open_corpus(tmp_path / name)


def test_a_readme_and_a_licence_do_not_hold_captions(tmp_path, write):
    write("1.png", picture())
    for name in ("README.txt", "LICENSE", "readme.md", "license.txt"):
        write(name, "about")
    assert captions(open_corpus(tmp_path)) == {"1": ()}
    assert set(account(tmp_path)[1]) == {"README.txt", "LICENSE", "readme.md", "license.txt"}


@pytest.mark.parametrize(
    "suffix", [".heic", ".avif", ".jp2", ".svg", ".eps", ".dcm", ".czi", ".nii.gz", ".psd", ".HEIC"]
)
def test_a_picture_that_cannot_be_read_is_a_skip_and_no_caption_alone(tmp_path, write, suffix):
    write("a.png", picture())
    write("a.txt", "read")
    write(f"b{suffix}", b"?")
    write("b.txt", "of a picture that is not read")
    write(f"c{suffix}", b"?")
    figure, left = everything(open_corpus(tmp_path))
    assert (figure.figure_id, figure.captions) == ("a", ("read",))
    reason = left.reason
    assert "convert it" in reason or "export" in reason
    assert account(tmp_path) == ("2 image, 2 sidecar", {f"c{suffix}": reason})


def test_a_drawing_beside_its_picture_is_named_and_costs_nothing(tmp_path, write):
    write("a.png", picture())
    write("a.svg", b"<svg/>")
    write("a.txt", "read")
    assert captions(open_corpus(tmp_path)) == {"a": ("read",)}
    assert skips(open_corpus(tmp_path)) == {}
    assert account(tmp_path)[1] == {"a.svg": "SVG drawing: convert it to PNG"}


def test_pipes_links_to_nowhere_and_hidden_files_are_in_the_account(tmp_path, write):
    write("a.png", picture())
    write("a.txt", "read")
    for name in (".DS_Store", ".git/objects/x.png", "__MACOSX/._a.png"):
        write(name, b"?")
    os.mkfifo(tmp_path / "b.png")
    os.mkfifo(tmp_path / "notes.doc")
    (tmp_path / "c.png").symlink_to(tmp_path / "nowhere")
    corpus = open_corpus(tmp_path)
    assert skips(corpus) == {"b.png": "image cannot be read", "c.png": "image cannot be read"}
    assert account(tmp_path) == ("3 image, 1 sidecar, 3 hidden file", {"notes.doc": "not a regular file"})


def test_files_that_are_too_large_are_skipped_unread(tmp_path, write, monkeypatch):
    monkeypatch.setattr("retrieval.corpora.folder.MAX_BYTES", 500)
    monkeypatch.setattr("retrieval.corpora.folder.MAX_SIDECAR", 100)
    for name in ("a", "b", "c"):
        write(f"{name}.png", b"x" * (501 if name == "a" else 500))
        write(f"{name}.txt", "t" * (101 if name == "b" else 100))
    assert skips(open_corpus(tmp_path)) == {"a.png": "image file is too large", "b.png": "caption file is too large"}


def test_an_empty_image_file_is_a_figure_whose_bytes_are_empty(tmp_path, write):
    write("a.png", b"")
    assert figures(open_corpus(tmp_path))["a"].image == b""


def test_an_image_that_cannot_be_opened_is_skipped(tmp_path, write):
    write("a.png", picture())
    (tmp_path / "b.png").symlink_to(tmp_path / "nowhere.png")
    corpus = open_corpus(tmp_path)
    (tmp_path / "a.png").unlink()
    assert skips(corpus) == {"a.png": "image cannot be read", "b.png": "image cannot be read"}


def test_a_folder_with_nothing_to_read_says_what_would_help(tmp_path):
    with pytest.raises(CorpusError, match="no images and no captions in this folder; give a folder of images with"):
        open_corpus(tmp_path)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a.pdf", "b.PDF"], "(2 .pdf; PDF: figures are not taken out of it); give a folder of images"),
        (["a.zip", "b.zip", "README"], "(2 .zip, 1 no suffix; archive: unpack it first)"),
        (
            ["a.svg", "b.dcm", "c.xyz"],
            "(1 .svg, 1 .dcm, 1 .xyz; SVG drawing: convert it to PNG; DICOM image: convert it to PNG)",
        ),
    ],
)
def test_a_folder_of_what_is_not_read_says_what_lies_in_it(tmp_path, write, names, said):
    for name in names:
        write(name, b"%")
    with pytest.raises(CorpusError) as refused:
        open_corpus(tmp_path)
    assert said in str(refused.value)


def test_figures_come_in_the_order_of_their_names_without_suffix(tmp_path, write):
    for name in ("a-b", "a", "a.c"):
        write(f"{name}.png", picture())
    assert [figure.uri for figure in figures(open_corpus(tmp_path)).values()] == ["a.png", "a-b.png", "a.c.png"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.pdf", "PDF: figures are not taken out of it"),
        ("a.npy", "arrays: save pictures as PNG or TIFF"),
        ("a.jpg_large", "kind of file is not read"),
        ("a", "kind is not known, its name has no suffix"),
    ],
)
@pytest.mark.parametrize("others", [(), ("b.png",)])
def test_a_caption_of_a_file_that_is_no_image_is_a_skip_and_no_figure_of_a_caption_alone(write, name, reason, others):
    for image in others:
        write(image, picture())
    write("a.txt", "of a")
    path = write("c.txt" if not others else "b.txt", "another")
    write(name, "x")
    corpus = open_corpus(path.parent)
    assert skips(corpus) == {name: reason}
    assert len(everything(corpus)) == 2


def test_prose_about_a_collection_is_no_caption_of_a_file_of_its_name(write):
    for name in ("LICENSE", "license.txt", "b.txt"):
        path = write(name, "text")
    assert captions(open_corpus(path.parent)) == {"b": ("text",)}


def test_captions_of_one_image_in_two_folders_are_no_guess(write):
    write("images/a.png", picture())
    write("en/a.txt", "one")
    path = write("fr/a.txt", "un")
    with pytest.raises(CorpusError, match=r"en/a.txt \(one of several captions of this name in other folders\)"):
        open_corpus(path.parent.parent)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_captions_in_utf_16_without_its_mark_are_read(tmp_path, write, encoding):
    write("a.png", picture())
    write("a.txt", "axial CT of the abdomen".encode(encoding))
    assert captions(open_corpus(tmp_path)) == {"a": ("axial CT of the abdomen",)}


@pytest.mark.parametrize("value", ["红色的心脏在这里", {"caption": "a red heart"}, ["a red heart", "seen from above"]])
def test_texts_of_any_language_and_depth_in_json_ask_for_their_key(tmp_path, write, value):
    write("a.png", picture())
    write("a.json", json.dumps({"befund": value, "n": 1}))
    with pytest.raises(CorpusError, match="texts are under 'befund'"):
        open_corpus(tmp_path)
    (found,) = captions(open_corpus(tmp_path, caption_columns="befund")).values()
    assert len(found) == (2 if isinstance(value, list) else 1)
