"""Damaged and made-up files of published corpora: nothing crashes, and no good figure is lost."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.corpora import open_corpus
from retrieval.errors import CorpusError
from retrieval.types import Figure, Skip
from tests.corpora.conftest import picture
from tests.corpora.golden import articles, photographs, radiographs
from tests.corpora.reading import everything

PICTURES = [picture(colour, "JPEG") for colour in ("red", "green", "blue")]
SAMPLES = {
    articles.biomedclip: "pubmed_parsed_data.jsonl",
    articles.medicat: "s2_full_figures_oa_nonroco_combined_medical_top4_public.jsonl",
    articles.roco: "data/test/radiology/captions.txt",
    articles.rocov2: "test_captions.csv",
    articles.slake: "train.json",
    photographs.coco: "annotations/captions_val2014.json",
    photographs.karpathy: "dataset_coco.json",
    photographs.flickr8k: "Flickr8k.token.txt",
    photographs.img2dataset_files: "00000.parquet",
    photographs.pmc_oa: "train.jsonl",
    radiographs.openi_reports: "ecgen-radiology/1.xml",
    radiographs.openi_tables: "indiana_reports.csv",
}
quick = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("None"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def written(sample: Callable[[Path, list[bytes]], None], folder: str) -> Path:
    root = Path(folder) / "corpus"
    sample(root, PICTURES)
    return root


def readable_or_refused(root: Path) -> list[Figure | Skip]:
    """All items, each named once and with JSON to tell; none where the whole is refused in one sentence."""
    items: list[Figure | Skip] = []
    with contextlib.suppress(CorpusError):
        items = everything(open_corpus(root))
    ids = [item.figure_id for item in items]
    assert len(set(ids)) == len(ids)
    for item in items:
        if isinstance(item, Figure):
            assert all(isinstance(caption, str) for caption in item.captions)
            json.dumps([dict(item.metadata), dict(item.extra)], allow_nan=False)
    return items


@pytest.mark.slow
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.__name__)
@quick
@given(data=st.data())
def test_a_file_that_is_cut_or_overwritten_anywhere_is_read_or_refused(sample, data):
    with tempfile.TemporaryDirectory() as folder:
        root = written(sample, folder)
        path = root / SAMPLES[sample]
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content)))
        if data.draw(st.booleans()):
            del content[at:]
        else:
            content[at : at + 1] = data.draw(st.binary(max_size=3))
        path.write_bytes(content)
        readable_or_refused(root)


articles_of_lines = st.fixed_dictionaries(
    {},
    optional={
        "pmc": json_values,
        "pmid": json_values,
        "location": json_values,
        "figures": json_values
        | st.lists(
            json_values
            | st.fixed_dictionaries(
                {},
                optional={key: json_values for key in ("fig_caption", "fig_id", "fig_label", "graphic_ref", "pair_id")},
            ),
            max_size=3,
        ),
    },
)
figures_of_lines = st.fixed_dictionaries(
    {},
    optional={
        key: json_values
        for key in ("pdf_hash", "fig_uri", "s2_caption", "s2orc_caption", "oa_info", "image", "article_id")
    },
)


@pytest.mark.parametrize(
    ("sample", "lines", "good"),
    [
        (articles.biomedclip, articles_of_lines, {"PMC100_F0", "PMC100_F1", "PMC102_F0"}),
        (articles.medicat, figures_of_lines, {f"{n // 2:040x}_{n}-Figure{n}-1" for n in range(3)}),
    ],
    ids=["biomedclip", "medicat"],
)
@quick
@given(data=st.data())
def test_made_up_lines_among_good_ones_cost_no_good_figure(sample, lines, good, data):
    with tempfile.TemporaryDirectory() as folder:
        root = written(sample, folder)
        path = root / SAMPLES[sample]
        made = [json.dumps(line).encode() for line in data.draw(st.lists(lines | json_values, max_size=4))]
        ordered = data.draw(st.permutations([*path.read_bytes().splitlines(), *made]))
        path.write_bytes(b"\n".join(ordered) + b"\n")
        with_image = [item for item in readable_or_refused(root) if isinstance(item, Figure) and item.image]
        assert {PICTURES.index(item.image) for item in with_image} == {0, 1, 2}
        assert len(with_image) >= len(good)


@quick
@given(
    images=st.lists(
        json_values | st.fixed_dictionaries({}, optional={"id": json_values, "file_name": json_values}), max_size=3
    ),
    notes=st.lists(
        json_values | st.fixed_dictionaries({}, optional={"image_id": json_values, "caption": json_values}), max_size=3
    ),
)
def test_made_up_annotations_among_good_ones_cost_no_good_figure(images, notes):
    with tempfile.TemporaryDirectory() as folder:
        root = written(photographs.coco, folder)
        path = root / SAMPLES[photographs.coco]
        value = json.loads(path.read_bytes())
        value["images"] += images
        value["annotations"] += notes
        path.write_bytes(json.dumps(value).encode())
        with_image = [item for item in readable_or_refused(root) if isinstance(item, Figure) and item.image]
        assert [PICTURES.index(item.image) for item in with_image] == [0, 2, 1]
        assert all(len(item.captions) >= 5 for item in with_image)
