"""Published corpora in their authors' layouts: small golden samples, recognised and read without any option."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from retrieval.corpora import open_corpus
from retrieval.types import Corpus, Figure, Skip
from tests.corpora.conftest import picture
from tests.corpora.golden import articles, photographs, radiographs
from tests.corpora.reading import everything, skips

PICTURES = [picture(colour, "JPEG") for colour in ("red", "green", "blue", "white", "black", "gold")]
MISSING = "image file is missing"

# sample: kind, figures with images, captions of all figures, reasons of skips
COUNTS = {
    articles.biomedclip: (
        "biomedclip",
        7,
        7,
        {
            MISSING: 1,
            "figure is not a JSON object": 1,
            "article has no list of figures": 1,
            "row is not valid JSON": 1,
        },
    ),
    articles.medicat: ("medicat", 6, 6, {MISSING: 1}),
    articles.roco: ("roco", 6, 6, {MISSING: 1, "line is not an id, a tab and a caption": 1}),
    articles.rocov2: ("rocov2", 6, 6, {MISSING: 1, "row has too many cells": 1}),
    articles.slake: ("slake", 6, 0, {MISSING: 1}),
    photographs.coco: ("coco", 6, 30, {MISSING: 1, "caption of no listed image": 1}),
    photographs.karpathy: ("karpathy", 6, 30, {MISSING: 1}),
    photographs.flickr8k: ("flickr", 6, 30, {MISSING: 1, "line is not a name, a tab and a caption": 1}),
    photographs.img2dataset_files: (
        "img2dataset",
        6,
        6,
        {
            "image could not be downloaded": 1,
            "image could not be resized": 1,
        },
    ),
    photographs.img2dataset_archives: (
        "img2dataset",
        6,
        6,
        {
            "image could not be downloaded": 1,
            "image could not be resized": 1,
        },
    ),
    photographs.biomedica: ("webdataset", 6, 6, {}),
    photographs.open_clip: ("table", 6, 6, {}),
    photographs.quilt: ("table", 6, 7, {}),
    photographs.pmc_oa: ("table", 6, 6, {}),
    radiographs.openi_reports: ("openi", 6, 7, {MISSING: 1, "report is not valid XML": 1}),
    radiographs.openi_tables: ("openi", 6, 7, {MISSING: 1}),
    radiographs.mimic: ("mimic-cxr", 6, 4, {}),
}


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Corpus]:
    def opened(sample: Callable[[Path, list[bytes]], None], below: str = "") -> Corpus:
        sample(tmp_path / "corpus", PICTURES)
        return open_corpus(tmp_path / "corpus" / below)

    return opened


def found(corpus: Corpus) -> dict[str, Figure]:
    """The figures that are not skipped, by id."""
    return {item.figure_id: item for item in everything(corpus) if isinstance(item, Figure)}


@pytest.mark.parametrize("sample", COUNTS, ids=lambda sample: sample.__name__)
def test_a_published_corpus_is_recognised_and_every_figure_caption_and_skip_is_counted(sample, opened):
    corpus = opened(sample)
    items = everything(corpus)
    figures = [item for item in items if isinstance(item, Figure)]
    reasons = Counter(item.reason for item in items if isinstance(item, Skip))
    with_image = [figure for figure in figures if figure.image is not None]
    captions = sum(len(figure.captions) for figure in figures)
    assert (corpus.kind, len(with_image), captions, dict(reasons)) == COUNTS[sample]
    assert {figure.image for figure in with_image} == set(PICTURES)


def test_figures_of_biomedclips_pipeline_are_named_by_their_article_also_without_pubmed_ids(opened):
    corpus = opened(articles.biomedclip)
    figures = found(corpus)
    assert list(figures) == [
        *("PMC100_F0", "PMC100_F1", "PMC100_F8", "PMC100_F9", "PMC102_F0", "PMC102_F1", "PMC104_F0", "PMC104_F1"),
    ]
    first = figures["PMC100_F0"]
    assert first.uri == "pubmed_open_access_files_unzipped/PMC100/gr0.jpg"
    assert (first.captions, first.article_id) == (("caption 100.0",), "PMC100")
    assert (first.metadata["fig_label"], first.metadata["fig_id"]) == ("Figure 0", "F0")


def test_figures_of_one_article_that_share_an_id_are_told_apart_by_their_images(tmp_path):
    articles.biomedclip(tmp_path, PICTURES)
    path = tmp_path / "pubmed_parsed_data.jsonl"
    path.write_text(path.read_text().replace('"fig_id": "F8"', '"fig_id": "F1"'))
    images = [figure_id for figure_id, figure in found(open_corpus(tmp_path)).items() if figure.image]
    folder = "pubmed_open_access_files_unzipped"
    assert images[:3] == ["PMC100_F0", f"{folder}/PMC100/gr1.png", "PMC100_F9"]


def test_an_image_of_biomedclips_pipeline_is_found_whatever_suffix_it_really_has(opened):
    figures = found(opened(articles.biomedclip))
    assert figures["PMC100_F1"].uri.endswith("PMC100/gr1.png")
    assert figures["PMC100_F9"].uri.endswith("PMC100/gr9.jpg.jpg")


def test_a_missing_graphic_or_caption_of_biomedclips_pipeline_is_none_and_not_the_word_none(opened):
    figures = found(opened(articles.biomedclip))
    assert (figures["PMC100_F8"].image, figures["PMC100_F8"].captions) == (None, ("caption 100.8",))
    assert (figures["PMC100_F9"].image, figures["PMC100_F9"].captions) == (PICTURES[0], ())


def test_images_of_a_pipelines_output_may_lie_elsewhere(tmp_path):
    articles.biomedclip(tmp_path / "corpus", PICTURES)
    images = (tmp_path / "corpus" / "pubmed_open_access_files_unzipped").rename(tmp_path / "images")
    corpus = open_corpus(tmp_path / "corpus" / "pubmed_parsed_data.jsonl", image_root=images)
    assert found(corpus)["PMC102_F0"].image == PICTURES[2]
    assert found(corpus)["PMC102_F0"].uri == "PMC102/gr0.jpg"


def test_medicat_has_one_caption_a_figure_and_keeps_the_other_where_it_differs(opened):
    figures = found(opened(articles.medicat))
    first, second, third = list(figures.values())[:3]
    assert first.figure_id == f"{0:040x}_0-Figure0-1"
    assert (first.article_id, first.uri) == (f"{0:040x}", f"figures/{0:040x}_0-Figure0-1.png")
    assert [figure.captions for figure in (first, second)] == [("Figure 0. A scan.",), ("Figure 1. A scan.",)]
    assert (second.metadata["s2orc_caption"], third.metadata["s2orc_caption"]) == (None, "Figure 2. A  scan .")
    assert (second.metadata["licence"], second.metadata["doi"], second.metadata["radiology"]) == (
        "cc-by",
        "10.1/1",
        False,
    )
    assert second.extra["s2orc_references"] == ["As shown (Fig. 1)."]


@pytest.mark.parametrize("below", ["", "data", "data/test", "data/test/radiology"])
def test_roco_is_read_from_its_root_a_split_or_a_leaf(opened, below):
    figures = found(opened(articles.roco, below))
    assert len(figures) == {"": 6, "data": 6, "data/test": 4, "data/test/radiology": 2}[below]
    one = figures["ROCO_00003"]
    assert (one.captions, one.article_id, one.image) == (("Caption 3.",), "PMC1", PICTURES[3])
    assert one.metadata == {"split": "test", "radiology": True, "licence": "CC BY"}
    assert one.extra == {
        "keywords": ["scan", "lung"],
        "cuis": ["C0000003"],
        "semtypes": ["T060", "Diagnostic Procedure"],
    }
    assert f"{below}/{one.uri}".removeprefix("/") == "data/test/radiology/images/PMC1_g3.jpg"


def test_a_figure_of_roco_that_is_somebody_else_s_does_not_have_its_article_s_licence(tmp_path):
    articles.roco(tmp_path, PICTURES)
    captions = tmp_path / "data" / "test" / "radiology" / "captions.txt"
    captions.write_text(captions.read_text().replace("Caption 3.", "Reprinted with permission from Elsevier."))
    figures = found(open_corpus(tmp_path))
    assert figures["ROCO_00003"].metadata["licence"] == "third-party"
    assert {figure.metadata["licence"] for figure in figures.values()} == {"third-party", "CC BY"}


def test_a_figure_of_medicat_or_biomedica_that_is_somebody_else_s_does_not_have_its_article_s_licence(tmp_path):
    articles.medicat(tmp_path / "medicat", PICTURES)
    (lines,) = (tmp_path / "medicat").glob("s2_full*.jsonl")
    lines.write_text(lines.read_text().replace("Figure 3. A scan.", "A scan. © 2010 Elsevier."))
    photographs.biomedica(tmp_path / "biomedica", PICTURES)
    (shard,) = (tmp_path / "biomedica").glob("*.tar")
    shard.write_bytes(shard.read_bytes().replace(b"caption 2", b"From [1]."))
    for source, usual in (("medicat", "cc-by"), ("biomedica", "CC BY")):
        licences = Counter(figure.metadata["licence"] for figure in found(open_corpus(tmp_path / source)).values())
        assert (licences["third-party"], licences[usual] > 1) == (1, True)


def test_roco_knows_the_article_of_a_figure_without_licences(tmp_path):
    articles.roco(tmp_path, PICTURES)
    for path in tmp_path.rglob("licences.txt"):
        path.unlink()
    assert found(open_corpus(tmp_path))["ROCO_00003"].article_id == "PMC1"


def test_rocov2_has_its_splits_and_concepts(opened):
    corpus = opened(articles.rocov2)
    figures = found(corpus)
    assert corpus.columns == {"split": "string"}
    assert Counter(figure.metadata["split"] for figure in figures.values()) == {"train": 2, "valid": 2, "test": 2}
    one = figures["ROCOv2_2023_valid_000004"]
    assert (one.captions, one.extra) == (("Caption, 4",), {"cuis": ["C0040405", "C0817096"]})


def test_slake_has_questions_and_no_captions_and_never_the_image_of_another_figure(opened):
    corpus = opened(articles.slake)
    figures = found(corpus)
    one = figures["xmlab3"]
    assert (one.image, one.captions, one.uri) == (PICTURES[3], (), "imgs/xmlab3/source.jpg")
    assert one.metadata == {"img_id": 3, "location": "Lung", "modality": "CT", "split": "train"}
    assert [question["answer"] for question in one.extra["questions"]] == ["Lung", "No"]
    assert skips(corpus) == {"imgs/xmlab999/source.jpg": MISSING}


def test_coco_has_its_captions_in_order_and_its_split_and_licence(opened):
    figures = found(opened(photographs.coco))
    one = figures["3"]
    assert one.captions == tuple(f"caption {turn} of 3" for turn in range(5))
    assert (one.uri, one.metadata["split"]) == ("val2014/COCO_val2014_000000000003.jpg", "val")
    assert one.metadata["licence"] == "Attribution License"


def test_one_file_of_cocos_annotations_may_be_given_itself(opened):
    corpus = opened(photographs.coco, "annotations/captions_train2014.json")
    assert list(found(corpus)) == ["0", "2", "4"]
    assert skips(corpus) == {}


def test_a_mask_with_the_name_of_a_missing_photograph_is_not_taken_for_it(tmp_path):
    photographs.coco(tmp_path, PICTURES)
    (tmp_path / "masks").mkdir()
    (tmp_path / "val2014" / "COCO_val2014_000000000003.jpg").rename(
        tmp_path / "masks" / "COCO_val2014_000000000003.png"
    )
    assert skips(open_corpus(tmp_path))["COCO_val2014_000000000003.jpg"] == MISSING


def test_a_missing_photograph_is_not_taken_from_the_folder_of_another_split(tmp_path):
    photographs.coco(tmp_path, PICTURES)
    (tmp_path / "val2014" / "COCO_val2014_000000000003.jpg").rename(
        tmp_path / "train2014" / "COCO_val2014_000000000003.jpg"
    )
    assert skips(open_corpus(tmp_path))["COCO_val2014_000000000003.jpg"] == MISSING


def test_karpathys_splits_are_kept_as_they_are_called(opened):
    figures = found(opened(photographs.karpathy))
    assert [figure.metadata["split"] for figure in figures.values()] == [
        "test",
        "restval",
        "train",
        "val",
        "test",
        "restval",
    ]
    assert figures["1001"].uri == "train2014/COCO_000000000001.jpg"
    assert figures["1001"].captions[4] == "caption 4 of 1"


def test_flickrs_token_file_has_five_captions_an_image_and_the_splits_of_the_lists(opened):
    one = found(opened(photographs.flickr8k))["4_abc.jpg"]
    assert one.captions == tuple(f"caption {turn} , of 4_abc.jpg" for turn in range(5))
    assert (one.uri, one.metadata) == ("Flicker8k_Dataset/4_abc.jpg", {"split": "dev"})


@pytest.mark.parametrize("sample", [photographs.img2dataset_files, photographs.img2dataset_archives])
def test_what_img2dataset_could_not_download_is_a_skip_and_its_statistics_are_no_caption(sample, opened):
    corpus = opened(sample)
    assert found(corpus)["00000/000000001" if sample is photographs.img2dataset_files else "000000001"].captions == (
        "caption 1",
    )
    assert skips(corpus) == {
        "00000.parquet#7": "image could not be downloaded",
        "00000.parquet#8": "image could not be resized",
    }


def test_biomedica_has_article_licence_journal_and_year(opened):
    corpus = opened(photographs.biomedica)
    figures = found(corpus)
    assert [figure.metadata["year"] for figure in figures.values()] == [2024, 2019, 2020, None, 2024, 2019]
    one = figures["000002"]
    assert (one.article_id, one.captions) == ("PMC1", ("caption 2",))
    assert (one.metadata["licence"], one.metadata["journal"]) == ("CC BY", "J Med")
    assert one.extra["article_mesh_terms"] == ["Humans"]
    assert figures["000001"].captions == ("",)


def test_the_title_of_open_clips_table_is_the_caption(opened):
    one = found(opened(photographs.open_clip))["images/1.jpg"]
    assert (one.image, one.captions) == (PICTURES[1], ("title, 1",))


def test_an_image_of_quilt_has_the_captions_of_all_its_rows(opened):
    figures = found(opened(photographs.quilt))
    assert figures["0.jpg"].captions == ("caption, 0", "caption, 6")
    assert figures["1.jpg"].metadata["split"] == "val"


def test_a_table_for_each_split_is_one_corpus_with_the_splits(opened):
    figures = found(opened(photographs.pmc_oa))
    assert Counter(figure.metadata["split"] for figure in figures.values()) == {"train": 2, "valid": 2, "test": 2}
    assert figures["PMC1_g1_0.jpg"].image == PICTURES[1]


def test_the_views_of_a_chest_x_ray_share_findings_and_impression(opened):
    figures = found(opened(radiographs.openi_reports))
    views = [figure for figure in figures.values() if figure.article_id == "CXR2"]
    assert [view.captions for view in views] == [("The lungs & heart are clear. Normal chest.",)] * 2
    assert [view.image for view in views] == PICTURES[2:4]
    assert views[0].metadata == {
        "indication": "Positive TB test",
        "comparison": "None.",
        "licence": "open-access",
        "view": "Xray Chest PA",
    }
    assert views[0].extra == {"mesh": ["normal"]}
    assert figures["CXR3999"].image is None


def test_an_xml_report_reads_no_file_that_it_names(tmp_path, write):
    write("secret", "a secret")
    write("NLMCXR_png/a.png", PICTURES[0])
    entity = f'<!DOCTYPE eCitation [<!ENTITY x SYSTEM "{tmp_path / "secret"}">]>'
    report = radiographs.REPORT.format(uid=1, findings="See &x;", views='<parentImage id="a"/>')
    write("ecgen-radiology/1.xml", report.replace("<eCitation>", f"{entity}<eCitation>"))
    assert "secret" not in found(open_corpus(tmp_path))["a"].captions[0]


def test_the_two_tables_of_chest_x_rays_are_joined_by_report(opened):
    corpus = opened(radiographs.openi_tables)
    figures = found(corpus)
    one = figures["1_IM-0003.dcm.png"]
    assert (one.captions, one.article_id, one.image) == (("Clear, 2. Normal chest.",), "1", PICTURES[3])
    assert one.metadata["projection"] == "Lateral"
    assert (figures["999"].image, figures["999"].captions) == (None, ("No view.",))
    assert skips(corpus) == {"gone.dcm.png": MISSING}


def test_mimic_gives_each_view_the_report_of_its_study(opened):
    figures = found(opened(radiographs.mimic))
    one = figures["00000003-00000003"]
    assert (one.captions, one.article_id, one.image) == (("FINDINGS: Clear, 1.",), "s50000001", PICTURES[3])
    assert one.metadata == {"split": "test", "view": "PA"}


@pytest.mark.parametrize(
    ("name", "kind", "count", "captions", "skipped"),
    [
        ("coco-style", "coco", 24, 48, 0),
        ("coco-style/annotations/captions_val.json", "coco", 24, 48, 0),
        ("flickr8k-style/Flickr8k.token.txt", "flickr", 24, 48, 0),
        ("roco-text/test/radiology", "roco", 0, 0, 200),  # its images are not there
    ],
)
def test_a_real_sample_has_its_known_counts(shared_data, name, kind, count, captions, skipped):
    corpus = open_corpus(shared_data / "raw-formats" / name)
    figures = found(corpus).values()
    counts = (len(figures), sum(len(figure.captions) for figure in figures), len(skips(corpus)))
    assert (corpus.kind, *counts) == (kind, count, captions, skipped)


def test_of_img2dataset_archives_without_a_table_are_read_and_tables_without_an_archive_are_skips(tmp_path):
    source = tmp_path / "x"
    photographs.img2dataset_archives(source, [picture(kind="JPEG")])
    for name in ("00000.parquet", "00000_stats.json"):
        (source / name.replace("00000", "00007")).write_bytes((source / name).read_bytes())
    (source / "00003.tar").write_bytes((source / "00000.tar").read_bytes())
    corpus = open_corpus(source)
    items = everything(corpus)
    ids = [item.figure_id for item in items if isinstance(item, Figure)]
    assert ids == ["00000/000000000", "00003/000000000"]
    lacking = [item.figure_id for item in items if isinstance(item, Skip) and "archive of this table" in item.reason]
    assert lacking == ["00007/000000000"]
    assert (corpus.account.files, dict(corpus.account.read)) == (6, {"archive": 2, "table": 2, "listing": 2})
