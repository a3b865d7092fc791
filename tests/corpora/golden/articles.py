"""Corpora of articles' figures as their authors lay them out: each function writes one for the images it is given."""

from __future__ import annotations

import json
from pathlib import Path

from tests.corpora.golden.writing import lines_of, put


def biomedclip(root: Path, pictures: list[bytes]) -> None:
    """microsoft/BiomedCLIP_data_pipeline: one article a line; paths start where the pipeline ran; all end in .jpg."""
    unzipped = "_results/data/pubmed_open_access_files_unzipped"

    def figure(article: int, number: int) -> dict[str, str]:
        return {
            "fig_caption": f"caption {article}.{number}",
            "fig_id": f"F{number}",
            "fig_label": f"Figure {number}",
            "graphic_ref": f"{unzipped}/PMC{article}/gr{number}.jpg",
            "pair_id": f"_F{number}",  # as pmid is empty: the same in every article
        }

    articles = []
    for start in range(0, len(pictures), 2):
        article = 100 + start
        figures = [figure(article, number) for number in range(len(pictures[start : start + 2]))]
        for number, data in enumerate(pictures[start : start + 2]):
            put(root / f"pubmed_open_access_files_unzipped/PMC{article}/gr{number}.{'png' if number else 'jpg'}", data)
        articles.append({"pmid": "", "pmc": str(article), "location": f"{unzipped}/PMC{article}", "figures": figures})
    first = articles[0]["figures"]
    assert isinstance(first, list)
    first.append(figure(100, 8) | {"graphic_ref": None})
    first.append(figure(100, 9) | {"fig_caption": "None"})
    put(root / "pubmed_open_access_files_unzipped/PMC100/gr9.jpg.jpg", pictures[0])
    first[-1]["graphic_ref"] += ".jpg"
    articles.append({"pmid": "7", "pmc": "", "location": "", "figures": [figure(7, 1), "no object"]})
    articles.append({"pmid": "8", "pmc": "8", "location": "", "figures": None})
    put(root / "pubmed_parsed_data.jsonl", lines_of(articles) + b"{broken\n")


def medicat(root: Path, pictures: list[bytes]) -> None:
    """allenai/medicat: JSON lines, images in figures/ named by the paper's hash and the figure's file name."""
    rows = []
    for number, data in enumerate(pictures):
        paper, uri = f"{number // 2:040x}", f"{number}-Figure{number}-1.png"
        put(root / "figures" / f"{paper}_{uri}", data)
        rows.append(
            {
                "pdf_hash": paper,
                "fig_key": f"Figure{number}",
                "fig_uri": uri,
                "s2_caption": f"Figure {number}. A scan." if number != 1 else None,
                "s2orc_caption": f"Figure {number}. A scan.",
                "s2orc_references": [f"As shown (Fig. {number})."] if number % 2 else None,
                "radiology": number % 2 == 0,
                "scope": False,
                "predicted_type": "Medical images",
                "oa_info": {"doi": f"10.1/{number}", "oa": {"is_oa": True, "license": "cc-by" if number else None}},
            }
        )
    rows[2]["s2orc_caption"] = "Figure 2. A  scan ."
    rows.append({**rows[0], "fig_uri": "9-Figure9-1.png", "fig_key": "Figure9"})
    put(root / "s2_full_figures_oa_nonroco_combined_medical_top4_public.jsonl", lines_of(rows))
    subcaption = {
        "pdf_hash": f"{0:040x}",
        "fig_key": "Figure0",
        "fig_uri": "0-Figure0-1.png",
        "width": 10,
        "height": 10,
    }
    put(root / "subcaptions_public.jsonl", lines_of([subcaption]))


def roco(root: Path, pictures: list[bytes]) -> None:
    """razorx89/roco-dataset after its fetch script: six text files in each leaf; images named PMC..._name.jpg, or by
    their ids as the first release did."""
    leaves = ("test/radiology", "test/non-radiology", "validation/radiology")
    for leaf_number, leaf in enumerate(leaves):
        folder = root / "data" / leaf
        texts: dict[str, str] = dict.fromkeys(("captions", "keywords", "cuis", "semtypes", "dlinks", "licences"), "")
        texts["licences"] = "ROCO_ID,PMC_ID,CC\n"
        for number, data in list(enumerate(pictures))[leaf_number :: len(leaves)]:
            own_id, source = f"ROCO_{number:05d}", f"PMC{number // 2}"
            put(folder / "images" / (f"{source}_g{number}.jpg" if number % 2 else f"{own_id}.jpg"), data)
            texts["captions"] += f"{own_id}\t Caption {number}.\n"
            texts["keywords"] += f"{own_id}\t\tscan\tlung\n"
            texts["cuis"] += f"{own_id}\t\tC000000{number}\n"
            texts["semtypes"] += f"{own_id}\t\tT060\tDiagnostic Procedure\n"
            texts["dlinks"] += f"{own_id}\twget -r ftp://host/00/9e/{source}.tar.gz -P /path/to/Dir\tg{number}.jpg\n"
            texts["licences"] += f"{own_id},{source}_g{number}.jpg,CC BY\n"
        if not leaf_number:
            texts["captions"] += "ROCO_99999\t An image that was withdrawn.\nno tab\n"
        for name, text in texts.items():
            put(folder / f"{name}.txt", text.encode())


def rocov2(root: Path, pictures: list[bytes]) -> None:
    """ROCOv2 of Zenodo: images of a split in a folder of its own, captions and concepts in tables."""
    for split_number, split in enumerate(("train", "valid", "test")):
        captions, concepts = "ID,Caption\n", "ID,CUIs\n"
        for number, data in list(enumerate(pictures))[split_number::3]:
            own_id = f"ROCOv2_2023_{split}_{number:06d}"
            put(root / split / f"{own_id}.jpg", data)
            captions += f'{own_id},"Caption, {number}"\n'
            concepts += f"{own_id},C0040405;C0817096\n"
        if split == "test":
            captions += "ROCOv2_2023_test_999999,withdrawn\ntoo,many,cells\n"
        put(root / f"{split}_captions.csv", captions.encode())
        put(root / f"{split}_concepts.csv", concepts.encode())
    put(root / "cui_mapping.csv", b"CUI,Canonical name\nC0040405,X-Ray Computed Tomography\n")


def slake(root: Path, pictures: list[bytes]) -> None:
    """SLAKE 1.0: three lists of questions, images in imgs/xmlabN/source.jpg beside masks and detections."""
    asked: dict[str, list[dict[str, object]]] = {"train": [], "validate": [], "test": []}
    for number, data in enumerate(pictures):
        put(root / "imgs" / f"xmlab{number}" / "source.jpg", data)
        put(root / "imgs" / f"xmlab{number}" / "question.json", b"[]")
        for turn, question in enumerate(("What organ is this?", "Is it healthy?")):
            asked[list(asked)[number % 3]].append(
                {
                    "img_id": number,
                    "img_name": f"xmlab{number}/source.jpg",
                    "question": question,
                    "answer": "Lung" if turn == 0 else "No",
                    "q_lang": "en",
                    "location": "Lung",
                    "modality": "CT" if number % 2 else "MRI",
                    "answer_type": "OPEN",
                    "base_type": "vqa",
                    "content_type": "Organ",
                    "triple": ["vhead", "_", "_"],
                    "qid": 2 * number + turn,
                }
            )
    asked["test"].append({**asked["test"][0], "img_name": "xmlab999/source.jpg", "img_id": 999})
    for split, questions in asked.items():
        put(root / f"{split}.json", json.dumps(questions).encode())
