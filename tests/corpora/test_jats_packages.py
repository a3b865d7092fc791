"""Where articles lie: folders, archives, single files; versions and copies; what is broken."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from retrieval.corpora import open_corpus
from retrieval.corpora.jats import open_package, packages
from retrieval.errors import CorpusError
from retrieval.types import Figure
from tests.corpora.conftest import picture
from tests.corpora.jats import fig, jats, packed, put
from tests.corpora.reading import everything, figures, skips

BODY = fig("F1", "Of F1.", "f1") + fig("F2", "Of F2.", "f2")


def article(number: int, body: str = BODY) -> str:
    return jats(body, f'<article-id pub-id-type="pmc">{number}</article-id>')


def package(number: int, version: int | None = None) -> dict[str, str | bytes]:
    """The files of an article as PubMed Central packs them: today's layout where it has a version, else the old one."""
    name = f"PMC{number}" if version is None else f"PMC{number}.{version}"
    xml = f"{name}/{name}.xml" if version is not None else f"{name}/journal-{number}.nxml"
    images = {f"{name}/f1.jpg": picture() + name.encode(), f"{name}/f2.jpg": picture(), f"{name}/f1.gif": b"GIF"}
    return {xml: article(number), f"{name}/paper.pdf": b"%PDF"} | images


def ids(corpus) -> list[str]:
    return [item.figure_id for item in everything(corpus, 2)]


BOTH = ["PMC1/F1", "PMC1/F2"]


@pytest.mark.parametrize("version", [None, 1])
def test_a_folder_of_packages_and_a_single_package_are_corpora(tmp_path, version):
    put(tmp_path / "all", package(1, version) | package(2, version))
    corpus = open_corpus(tmp_path / "all")
    assert corpus.kind == "jats"
    assert ids(corpus) == [*BOTH, "PMC2/F1", "PMC2/F2"]
    (one,) = tmp_path.glob("all/PMC1*")
    assert ids(open_corpus(one)) == BOTH
    assert figures(open_corpus(one))["PMC1/F1"].uri == "f1.jpg"


def test_an_article_by_its_path_comes_with_the_images_beside_it(tmp_path):
    put(tmp_path, package(1))
    put(tmp_path / "PMC1", {"other.nxml": article(2)})
    found = figures(open_corpus(tmp_path / "PMC1" / "journal-1.nxml"))
    assert list(found) == BOTH
    assert found["PMC1/F1"].image == picture() + b"PMC1"


@pytest.mark.parametrize("suffix", ["tar.gz", "tgz", "tar"])
def test_an_archive_is_read_as_the_folder_that_it_would_be(tmp_path, suffix):
    kind = "w" if suffix == "tar" else "w:gz"
    put(tmp_path, {f"oa/0a/{n}f/PMC{n}.{suffix}": packed(package(n), kind) for n in (1, 2)})
    put(tmp_path / "unpacked", package(1) | package(2))
    from_archives = figures(open_corpus(tmp_path / "oa"))
    from_folders = figures(open_corpus(tmp_path / "unpacked"))
    assert list(from_archives) == list(from_folders)
    for figure_id, figure in from_archives.items():
        same = from_folders[figure_id]
        assert (figure.image, figure.captions, figure.metadata) == (same.image, same.captions, same.metadata)
    assert from_archives["PMC1/F1"].uri == f"0a/1f/PMC1.{suffix}/PMC1/f1.jpg"


def test_archives_by_a_glob_and_one_by_its_path_are_corpora(tmp_path):
    put(tmp_path, {f"PMC{n}.tar.gz": packed(package(n)) for n in (1, 2)})
    assert ids(open_corpus(f"{tmp_path}/*.tar.gz")) == [*BOTH, "PMC2/F1", "PMC2/F2"]
    assert ids(open_corpus(tmp_path / "PMC1.tar.gz")) == BOTH


def test_a_mixture_is_one_corpus(tmp_path):
    put(tmp_path, package(1) | package(2, 1))
    put(
        tmp_path,
        {"x/PMC3.tar.gz": packed(package(3)), "loose/4.nxml": article(4), "loose/PMC5.tar.gz": packed(package(5))},
    )
    corpus = open_corpus(tmp_path)
    assert sorted(ids(corpus)) == [f"PMC{n}/F{m}" for n in range(1, 6) for m in (1, 2)]
    assert [item.figure_id for item in everything(corpus) if item.image is None] == ["PMC4/F1", "PMC4/F2"]
    assert sorted(ids(open_corpus(f"{tmp_path}/*"))) == sorted(ids(corpus))


def test_a_large_archive_of_bare_articles_is_read(tmp_path):
    put(tmp_path, {"xml.tar.gz": packed({f"PMC000/PMC{n}.xml": article(n) for n in range(1, 40)})})
    assert len(figures(open_corpus(tmp_path / "xml.tar.gz"))) == 78


def test_an_archive_too_large_for_memory_is_read_from_its_file(tmp_path, monkeypatch):
    put(tmp_path, {"a.tar.gz": packed(package(1) | package(2))})
    within = figures(open_corpus(tmp_path))
    monkeypatch.setattr(open_package, "IN_MEMORY", 100)
    assert figures(open_corpus(tmp_path)) == within


def test_of_several_versions_the_greatest_number_is_read(tmp_path):
    put(tmp_path, package(1, 2) | package(1, 10) | package(1, 9) | package(2, 1))
    corpus = open_corpus(tmp_path)
    assert ids(corpus) == [*BOTH, "PMC2/F1", "PMC2/F2"]
    assert figures(corpus)["PMC1/F1"].uri == "PMC1.10/f1.jpg"
    assert figures(corpus)["PMC1/F1"].metadata["version"] == 10
    assert corpus.superseded == 2


def test_a_newer_version_without_figures_takes_those_of_the_older_one_away(tmp_path):
    put(tmp_path, package(1, 1) | {"PMC1.2/PMC1.2.xml": article(1, "")} | package(2, 1))
    assert ids(open_corpus(tmp_path)) == ["PMC2/F1", "PMC2/F2"]


def test_of_copies_the_one_with_images_is_read_and_rather_unpacked(tmp_path):
    put(tmp_path, {"a/1.nxml": article(1), "b/PMC1.tar.gz": packed(package(1))})
    assert [item.image for item in everything(open_corpus(tmp_path))] == [picture() + b"PMC1", picture()]
    put(tmp_path / "c", package(1))
    assert figures(open_corpus(tmp_path))["PMC1/F1"].uri == "c/PMC1/f1.jpg"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<article><body>", "article is not well-formed XML"),
        ("", "article is not well-formed XML"),
        ("<svg/>", "file is not a JATS article"),
        ("<article><p>" * 300, "article is not well-formed XML"),
        (article(2, "<fig/>" * 5001), "article has too many figures"),
    ],
)
def test_a_broken_article_is_one_skip_and_the_others_are_read(tmp_path, content, reason):
    put(tmp_path, package(1) | {"PMC2/x.nxml": content} | package(3))
    corpus = open_corpus(tmp_path)
    assert ids(corpus) == [*BOTH, "PMC2/x.nxml", "PMC3/F1", "PMC3/F2"]
    assert skips(corpus) == {"PMC2/x.nxml": reason}


def test_xml_and_archives_that_are_no_articles_are_not_looked_at(tmp_path):
    put(tmp_path, package(1) | {"PMC1/data.xml": "<svg/>", "PMC1/supplement.tar.gz": packed({"a.jpg": b"no"})})
    put(tmp_path, {"PMC1/data/table.xml": "<table/>", "PMC1/.hidden.nxml": "no", "__MACOSX/PMC1/._a.nxml": "no"})
    assert ids(open_corpus(tmp_path)) == BOTH
    assert len(figures(open_corpus(tmp_path))) == 2


def test_an_archive_without_articles_is_a_skip(tmp_path):
    put(tmp_path, package(1) | {"x/PMC2.tar.gz": packed({"PMC2/a.jpg": picture()})})
    assert skips(open_corpus(tmp_path)) == {"x/PMC2.tar.gz": "archive without articles"}


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>" * 500, b"\x1f\x8b\x08" + bytes(20), packed(package(2))[:30]],
    ids=["empty", "web page", "no gzip", "cut off"],
)
def test_a_file_that_is_no_archive_is_a_skip(tmp_path, content):
    put(tmp_path, package(1) | {"x/PMC2.tar.gz": content})
    corpus = open_corpus(tmp_path)
    assert ids(corpus) == [*BOTH, "x/PMC2.tar.gz"]
    assert set(skips(corpus).values()) <= {"archive is truncated", "archive is damaged"}


def test_wherever_a_package_is_cut_no_figure_is_lost_or_half_read(tmp_path):
    whole = packed(package(2), "w")
    put(tmp_path, package(1))
    for length in range(0, len(whole), 512):
        put(
            tmp_path,
            {"x/PMC2.tar": whole[:length], "x/PMC3.tar.gz": gzip.compress(whole.replace(b"PMC2", b"PMC3"))[:length]},
        )
        items = everything(open_corpus(tmp_path), 3)
        assert [item.figure_id for item in items[:2]] == BOTH
        for item in items[2:]:
            if isinstance(item, Figure):
                assert item.image == {"F1": picture() + item.article_id.encode(), "F2": picture()}[item.figure_id[5:]]
            else:
                assert item.reason in ("archive is truncated", "archive is damaged")
        found = {item.figure_id for item in items if isinstance(item, Figure)}
        assert "x/PMC2.tar" in {item.figure_id for item in items} or {"PMC2/F1", "PMC2/F2"} <= found


def test_a_broken_package_alone_is_told_as_such(tmp_path):
    put(tmp_path, {"PMC1.tar.gz": packed(package(1))[:100]})
    for source in (tmp_path, tmp_path / "PMC1.tar.gz"):
        with pytest.raises(CorpusError, match=r"no article here has figures \(archive is truncated\)"):
            open_corpus(source)


def test_names_that_lead_out_of_an_archive_lead_nowhere(tmp_path):
    put(tmp_path, {"secret.jpg": b"secret"})
    names = {"../PMC1/a.nxml": article(1), "/PMC1/f1.jpg": picture(), "PMC1/../../../PMC1/f2.jpg": picture()}
    put(tmp_path / "x", {"PMC1.tar.gz": packed(names)})
    assert [figure.image for figure in figures(open_corpus(tmp_path / "x")).values()] == [picture(), picture()]
    body = fig("F1", href="../secret.jpg") + fig("F2", href=f"{tmp_path}/secret.jpg") + fig("F3", href="f")
    put(tmp_path / "y" / "PMC2", {"a.nxml": article(2, body), "f.jpg": picture()})
    assert [getattr(item, "image", None) for item in everything(open_corpus(tmp_path / "y"))] == [None, None, picture()]


def test_links_and_devices_in_an_archive_are_not_followed(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in {"PMC1/a.nxml": article(1).encode(), "PMC1/f2.jpg": picture()}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for kind in (tarfile.SYMTYPE, tarfile.CHRTYPE):
            link = tarfile.TarInfo("PMC1/f1.jpg")
            link.type, link.linkname = kind, "/etc/passwd"
            archive.addfile(link)
    put(tmp_path, {"PMC1.tar.gz": buffer.getvalue()})
    assert [getattr(item, "reason", None) for item in everything(open_corpus(tmp_path))] == [
        "image is not in the package",
        None,
    ]


def test_files_that_are_too_large_are_skipped(tmp_path, monkeypatch):
    put(tmp_path, package(1) | {"x/PMC2.tar.gz": packed(package(2))})
    put(tmp_path, {"PMC1/f1.jpg": bytes(5000), "PMC3/a.nxml": article(3) + " " * 5000})
    monkeypatch.setattr(packages, "LARGEST_FILE", 1000)
    monkeypatch.setattr(packages, "LARGEST", 3000)
    corpus = open_corpus(tmp_path)
    assert skips(corpus) == {"PMC1/f1.jpg": "image is too large", "PMC3/a.nxml": "article is too large"}
    assert len(everything(corpus)) == 5


def test_a_link_to_a_parent_does_not_lead_in_circles(tmp_path):
    put(tmp_path / "here", package(1))
    (tmp_path / "here" / "PMC1" / "again").symlink_to(tmp_path / "here")
    assert ids(open_corpus(tmp_path / "here")) == BOTH


def test_links_to_nowhere_are_not_articles(tmp_path):
    put(tmp_path, package(1))
    for name in ("PMC2.xml", "PMC3.nxml", "PMC1/f3.jpg"):
        (tmp_path / name).symlink_to(tmp_path / "nowhere")
    assert ids(open_corpus(tmp_path)) == BOTH


def test_a_package_by_a_link_is_read(tmp_path):
    put(tmp_path / "away", package(1))
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "PMC1").symlink_to(tmp_path / "away" / "PMC1")
    assert ids(open_corpus(tmp_path / "here")) == BOTH


def test_what_changed_since_the_corpus_was_opened_is_a_skip_for_each_figure(tmp_path):
    put(tmp_path, package(1) | package(2))
    corpus = open_corpus(tmp_path)
    put(tmp_path, {"PMC1/journal-1.nxml": article(1, fig("F1", href="f1"))})
    (tmp_path / "PMC2" / "journal-2.nxml").unlink()
    items = everything(corpus, 1)
    assert [getattr(item, "reason", None) for item in items] == [None, *["article has changed"] * 3]
    assert len({item.figure_id for item in items}) == 4


def test_articles_without_any_figures_are_refused(tmp_path):
    put(tmp_path, {"PMC1/a.nxml": article(1, "<p>Text.</p>")})
    with pytest.raises(CorpusError, match="no article here has figures; give JATS articles with figures"):
        open_corpus(tmp_path)
    put(tmp_path, {"PMC1/a.nxml": "<article>"})
    with pytest.raises(CorpusError, match=r"no article here has figures \(article is not well-formed XML\)"):
        open_corpus(tmp_path)


def test_mentions_of_something_else_are_refused(tmp_path):
    put(tmp_path, {"a.png": picture(), "a.txt": "a"})
    with pytest.raises(CorpusError, match="mentions are read from JATS articles, and this is a folder; leave them out"):
        open_corpus(tmp_path, mentions=True)


def test_options_of_tables_are_refused_for_articles(tmp_path):
    put(tmp_path, package(1))
    with pytest.raises(CorpusError):
        open_corpus(tmp_path, caption_columns=["caption"])


def test_folders_of_images_and_shards_are_not_taken_for_articles(tmp_path):
    put(tmp_path / "folder", {"a.png": picture(), "a.txt": "a", "chart.xml": "<svg/>"})
    put(tmp_path / "shards", {"0.tar.gz": packed({"0.png": picture(), "0.txt": "zero"})})
    assert open_corpus(tmp_path / "folder").kind == "folder"
    assert open_corpus(tmp_path / "shards").kind == open_corpus(tmp_path / "shards" / "0.tar.gz").kind == "webdataset"
