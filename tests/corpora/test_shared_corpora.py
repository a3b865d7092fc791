"""Real corpora read whole: how many figures, which ones, how long their captions are; no more of them stands here."""

from __future__ import annotations

import json

import pytest

from retrieval.corpora import open_corpus
from retrieval.images.decode import decode
from retrieval.types import Figure
from tests.corpora.reading import everything

# name: kind, figures, captions, then id and length of the first caption of the first, ninth and last figure
GOLDEN = {
    "bio-courses": (
        *("table", 727, 727),
        *(("popgen-Proof_of_pL_2s", 152), ("popgen-Leucine_codon_bias", 104), ("neubias-tiff_chunking", 22)),
    ),
    "gutenberg-biology": (
        *("table", 2068, 2068),
        *(("pg39969-i006b", 116), ("pg39969-i029", 80), ("pg43431-i_541", 345)),
    ),
    "gutenberg-medicine": (
        *("table", 3605, 3605),
        *(("gunshot-i_b_012", 638), ("gunshot-i_b_028", 572), ("pg70330-188", 23)),
    ),
    "openstax-anatomy-physiology": (
        *("table", 704, 704),
        *(("ap-m45981-fig-ch01_00_01", 111), ("ap-m45988-fig-ch01_04_02", 162), ("ap-m46311-fig-ch29_07_06", 304)),
    ),
    "openstax-astronomy": (
        *("table", 667, 667),
        ("as-m59743-OSC_Astro_01_00_OurUnivers", 205),
        *(("as-m59753-OSC_Astro_01_06_Light", 222), ("as-m63293-PrefaceAuthors", 100)),
    ),
    "openstax-biology": (
        *("table", 1091, 1091),
        *(("bio-m44386-fig-ch01_00_00", 175), ("bio-m44388-fig-ch01_02_01", 103), ("bio-m60107-fig-app01-01-03", 21)),
    ),
    "openstax-chemistry": (
        *("table", 619, 619),
        ("ch-m68663-CNX_Chem_01_00_DailyChem", 190),
        *(("ch-m68667-CNX_Chem_01_02_decomp", 133), ("ch-m68863-CNX_Chem_00_EE_LiqWatAbso", 246)),
    ),
    "openstax-microbiology": (
        *("table", 748, 748),
        ("mb-m58780-OSC_Microbio_01_00_splash", 416),
        *(("mb-m58782-OSC_Microbio_01_02_Haeckel", 243), ("mb-m58948-OSC_Microbio_00_CC_CB", 520)),
    ),
    "openstax-nursing": (
        *("table", 410, 410),
        *(("nu-m00001-fig-00001", 67), ("nu-m00013-fig-00003", 88), ("nu-m00492-fig-00001", 111)),
    ),
    "openstax-physics": (
        *("table", 900, 900),
        ("cp-m42119-import-auto-id2688158", 564),
        *(("cp-m42120-import-auto-id2575847", 342), ("up-m58776-CNX_UPhysics_44_07_DarkPie", 60)),
    ),
    "openstax-social-humanities": (
        *("table", 700, 700),
        *(("ps-m82161-fs-idm6805184", 56), ("ps-m82164-CNX_Psych_01_03_Milgram", 177), ("wh-m00086-fig-00001", 271)),
    ),
    "papers-modern": (
        *("table", 321, 321),
        *(("elife-30274-v1-fig1", 1137), ("elife-46472-v3-fig4", 1284), ("euroscipy14-TkinterDemoJava", 115)),
    ),
    "roco-radiology": (
        *("table", 2591, 2591),
        *(("ROCO_00153", 78), ("ROCO_00535", 138), ("ROCO_81798", 95)),
    ),
    "raw-formats/webdataset-style-000000.tar": (
        *("webdataset", 24, 24),
        *(("000000", 67), ("000008", 88), ("000023", 132)),
    ),
    "raw-formats/imagefolder-style": (
        *("imagefolder", 24, 24),
        *(("train/000000000001.jpg", 67), ("train/000000000009.jpg", 88), ("train/000000000024.jpg", 132)),
    ),
    "raw-formats/flickr8k-style": (
        *("table", 24, 48),
        *(("000000000001.jpg", 67), ("000000000009.jpg", 88), ("000000000024.jpg", 132)),
    ),
    "raw-formats/covid-ct-style": (
        *("table", 40, 40),
        *(("gunshot-i_b_012.jpg", 647), ("gunshot-i_b_028.jpg", 581), ("gunshot-i_b_090.jpg", 665)),
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_real_corpus_has_its_known_figures(shared_data, name):
    corpus = open_corpus(shared_data / name)
    items = everything(corpus)
    found = [item for item in items if isinstance(item, Figure) and item.image]
    assert len(found) == len(items)
    shown = ((found[n].figure_id, len(found[n].captions[0])) for n in (0, 8, -1))
    assert (corpus.kind, len(found), sum(len(item.captions) for item in found), *shown) == GOLDEN[name]


def test_a_row_of_a_real_corpus_says_where_it_comes_from(shared_data):
    corpus = open_corpus(shared_data / "roco-radiology")
    assert corpus.columns == {"source": "string", "licence": "string"}
    first = next(corpus.read(corpus.split(1)[0]))
    line = json.loads((shared_data / "roco-radiology" / "captions.jsonl").read_text(encoding="utf-8").split("\n")[0])
    assert first.captions == (line["caption"],)
    assert first.article_id == line["article_id"]
    assert first.metadata == {"source": line["source"], "licence": line["licence"]}
    assert first.extra == {"width": line["width"], "height": line["height"]}
    assert decode(first.image).size == (line["width"], line["height"])


def test_a_folder_of_corpora_that_each_have_a_table_is_one_corpus(shared_data):
    one_by_one = sum(count for name, (_, count, *_) in GOLDEN.items() if "/" not in name)
    corpus = open_corpus(shared_data)
    assert sum(split.stop - split.start for split in corpus.split(1000)) >= one_by_one
