"""What captions say of the rights in their figures, against labels that a person gave to real ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from retrieval.corpora import open_corpus
from retrieval.corpora.jats.rights import THIRD_PARTY, claim_in
from tests.corpora.conftest import picture
from tests.corpora.jats import fig, jats, put
from tests.corpora.reading import figures

LABELS = json.loads((Path(__file__).parent / "golden" / "rights.json").read_text())
"""Ids of real captions by what a reader took their claim for: a licence, third-party or none."""

THEIRS = [
    "A cell. Reproduced with permission from Smith et al. [12].",
    "© 2010 Elsevier.",
    "A cell (c) 2010 Elsevier.",
    "A cell. Copyright 1998, The Endocrine Society.",
    "Adapted from Smith et al., Elsevier 2010.",
    "All rights reserved.",
    "Used with kind permission.",
    "Reprinted from Lancet, 5, Copyright (2010), with permission from Elsevier.",
    "Reproduced by courtesy of the publisher.",
    "Modified from Snodgrass.",
    "A bladder (adapted from [52]).",
    "Redrawn from Figure 3 of Smith et al. (2003).",
    "Figure from Mori, 2007.",
    "Photo: Getty Images.",
    "Map data © Google Earth.",
    "(A) Reprinted with permission from Elsevier; (B) licensed under CC BY 4.0.",
    "Reprinted with permission from Elsevier. The data are CC BY 4.0.",
    "Photo by Karl Schmidt, used with permission.",
    "Reproduced with the author's permission.",
    "Contains data © Crown copyright and database right 2019.",
    "Fonte: Silva et al. (2010).",
    "(From ref. 14.)",
    "Tomado de García et al. 2010.",
    "Reproduced from Ref. [45] with permission from The Royal Society of Chemistry.",
    "Printed with permission from Dr. John Doe.",
    "Copyright © 2011 Massachusetts Medical Society. Reprinted with permission.",
    "With kind permission of the Trustees of the Natural History Museum.",
    "Satellite image © 2020 Maxar Technologies.",
    "Modified from Smith and Jones (1998).",
    "Redrawn after Snodgrass (1935).",
    "Sections modified from Paxinos and Watson (2007).",
    "Adapted from the Allen Brain Atlas.",
    "Adapted from https://commons.wikimedia.org/wiki/File:X.svg.",
    "Figure modified from our previous publication [12].",
    "Reproducida con permiso de Elsevier.",
    "Mit freundlicher Genehmigung des Verlags.",
    "Avec l'aimable autorisation de l'éditeur.",
]
OURS = [
    "Image courtesy of Dr. Smith.",
    "Created with BioRender.com.",
    "Adapted from “Template”, by BioRender.com (2021).",
    "(a) Left. (b) Middle. (c) 2010 Landsat image.",
    "Photograph published with permission of the patient.",
    "Written informed permission was obtained from the patient's parents.",
    "Sampled with permission from the Ministry of the Environment.",
    "© The Author(s) 2020.",
    "Photo © A. Meier.",
    "From a stamp, not covered by copyright.",
    "Data adapted from [12].",
    "Phylogeny based on Smith et al. (2010).",
    "Copyright belongs to the authors.",
    "Fuente: elaboración propia.",
    "Image taken after Surgery. (after Gadolinium)",
    "The patient gave permission for publication.",
    "The protocol was adapted from Smith et al. 2010.",
    "Mice adapted to darkness [12].",
    "Data are taken from reference 12.",
    "Model modified from Smith et al. [12].",
    "Results were reproduced in three independent experiments.",
    "Written informed consent was obtained from the patient for publication of this image.",
    "Photograph reproduced with the permission of the individual.",
    "Samples collected with permission of the landowner.",
    "Map courtesy of the University of Texas Libraries.",
    "Source: World Health Organization, 2019.",
    "© 2019 by the authors. Licensee MDPI, Basel, Switzerland.",
    "Plants adapted from Italy.",
    "From Day 3 to Day 7.",
    "X-ray (after PCI).",
    "Silicon wafer, in the right panel, used as it was.",
    "Samples were taken from [3].",
    "An image of the nebula, taken in July 2012.",
    "Modified from Figure 1.",
    "CC0 and CC1 conditions.",
    "The right to the file belongs to who has permission to edit it.",
]
LICENSED = {
    "Adapted from [12] under CC BY 4.0.": "cc-by",
    "Adapted from Smith [12] (CC BY-SA 3.0).": "cc-by-sa",
    "Reproduced from Smith et al. (2010). Licensed under CC BY 4.0.": "cc-by",
    "© 2020 The Authors. Published by Elsevier under CC BY-NC-ND.": "cc-by-nc-nd",
    "Reproduced under the terms of the Creative Commons Attribution License from Smith et al.": "cc-by",
    "Republished from [12] under a CC BY license, with permission from J Doe, original copyright 2016.": "cc-by",
    "© 2019 J. Doe. CC BY 4.0.": "cc-by",
    "Reproduced with permission of J. Doe. Licensed under CC BY 4.0.": "cc-by",
    "Elements were taken from Servier Medical Art, under a Creative Commons Attribution 3.0 License.": "cc-by",
    "From: Gray's Anatomy, 20th edition (public domain).": "public-domain",
    "Painting of 1785. Public domain.": "public-domain",
    "Photo: J. Doe, CC0 1.0.": "cc0",
    "Left: J. Doe, CC BY 2.0. Right: K. Roe, CC BY-NC 2.0.": "cc-by-nc",
}


@pytest.mark.parametrize("caption", THEIRS)
def test_somebody_else_s_right_is_seen(caption):
    claim = claim_in(f"A picture of it, 5 cm long. {caption}", "A. Meier")
    assert claim is not None
    assert claim.licence == THIRD_PARTY
    assert claim.statement.endswith(caption) or claim.statement in caption
    assert "Scale bar" not in claim_in(f"{caption} Scale bar, 5 µm.").statement


@pytest.mark.parametrize("caption", OURS)
def test_what_gives_no_right_away_claims_nothing(caption):
    assert claim_in(caption, "A. Meier") is None


@pytest.mark.parametrize("caption", LICENSED)
def test_a_licence_of_its_own_is_what_a_caption_says(caption):
    assert claim_in(caption).licence == LICENSED[caption]


def test_real_captions_are_judged_as_a_reader_judged_them(shared_data):
    truth = {name: label for label, names in LABELS.items() for name in names}
    found = {}
    for folder in sorted({name.partition("/")[0] for name in truth}):
        for row in map(json.loads, (shared_data / folder / "captions.jsonl").read_text().splitlines()):
            if (name := f"{folder}/{row['id']}") in truth:
                claim = claim_in(" ".join(row["caption"].split()))
                found[name] = claim.licence if claim else "none"
    assert len(found) == len(truth) > 300
    hits = [name for name in truth if truth[name] == found[name] == THIRD_PARTY]
    said = [name for name in found if found[name] == THIRD_PARTY]
    precision, recall = len(hits) / len(said), len(hits) / len(LABELS[THIRD_PARTY])
    assert precision >= 0.99, precision
    assert recall >= 0.95, recall
    assert [
        name for name in truth if truth[name] != found[name] and THIRD_PARTY not in (truth[name], found[name])
    ] == []


CC_BY = '<license xlink:href="https://creativecommons.org/licenses/by/4.0/"/>'
META = f'<article-id pub-id-type="pmc">1</article-id><permissions>{CC_BY}</permissions>'


def rights(tmp_path: Path, body: str) -> dict[str, tuple[object, ...]]:
    put(tmp_path / "PMC1", {"a.nxml": jats(body, META), "a.jpg": picture()})
    return {
        name: (item.metadata["licence"], item.metadata["licence_url"], item.extra.get("licence_statement"))
        for name, item in figures(open_corpus(tmp_path)).items()
    }


def test_a_figure_has_the_licence_that_its_own_caption_credit_or_permissions_say(tmp_path):
    credit = "<attrib>© 2010 Elsevier.</attrib>"
    own = "<permissions><copyright-statement>© 1999 Springer</copyright-statement></permissions>"
    body = (
        fig("F1", "Plain.", "a")
        + fig("F2", "A cell. Reprinted with permission from Elsevier.", "a")
        + fig("F3", "A cell.", "a", credit)
        + fig("F4", "A cell.", "a", own)
        + fig("F5", "Adapted from [2], https://creativecommons.org/licenses/by-sa/3.0/.", "a")
        + fig("F6", "Icons of the figure: CC0 1.0.", "a")
        + f"<fig-group><attrib>All rights reserved.</attrib>{fig('F7', 'Grouped.', 'a')}</fig-group>"
    )
    article = "https://creativecommons.org/licenses/by/4.0/"
    assert rights(tmp_path, body) == {
        "PMC1/F1": ("cc-by", article, None),
        "PMC1/F2": (THIRD_PARTY, None, "Reprinted with permission from Elsevier."),
        "PMC1/F3": (THIRD_PARTY, None, "© 2010 Elsevier."),
        "PMC1/F4": (THIRD_PARTY, None, "© 1999 Springer"),
        "PMC1/F5": (
            "cc-by-sa",
            "https://creativecommons.org/licenses/by-sa/3.0/",
            "Adapted from [2], https://creativecommons.org/licenses/by-sa/3.0/.",
        ),
        "PMC1/F6": ("cc-by", article, None),
        "PMC1/F7": (THIRD_PARTY, None, "All rights reserved."),
    }
