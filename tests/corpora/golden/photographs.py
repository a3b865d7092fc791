"""Photographs with several captions, and what was gathered from the web, as their authors lay them out."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.corpora.golden.writing import archive, lines_of, put


def coco(root: Path, pictures: list[bytes]) -> None:
    """COCO 2014: annotations/captions_*.json and instances_*.json, images in a folder for each split."""
    for split_number, split in enumerate(("train", "val")):
        images, annotations = [], []
        for number, data in list(enumerate(pictures))[split_number::2]:
            name = f"COCO_{split}2014_{number:012d}.jpg"
            put(root / f"{split}2014" / name, data)
            images.append(
                {"license": 1, "file_name": name, "height": 1, "width": 2, "id": number, "coco_url": "http://x"}
            )
            annotations += [
                {"image_id": number, "id": 10 * number + turn, "caption": f"caption {turn} of {number}"}
                for turn in range(5)
            ]
        if split == "val":
            images.append({"license": 1, "file_name": "COCO_val2014_000000999999.jpg", "id": 999999})
            annotations.append({"image_id": 123456, "id": 1, "caption": "of nothing"})
        licences = [{"id": 1, "name": "Attribution License", "url": "http://creativecommons.org/licenses/by/2.0/"}]
        value = {"info": {}, "images": images, "licenses": licences, "annotations": annotations}
        put(root / "annotations" / f"captions_{split}2014.json", json.dumps(value).encode())
        boxes = {**value, "annotations": [{"image_id": 1, "bbox": [0, 0, 1, 1], "category_id": 1}]}
        put(root / "annotations" / f"instances_{split}2014.json", json.dumps(boxes).encode())


def karpathy(root: Path, pictures: list[bytes]) -> None:
    """caption_datasets.zip of Karpathy: dataset_coco.json, images of COCO's two folders."""
    images = []
    for number, data in enumerate(pictures):
        path, name = ("val2014", "train2014")[number % 2], f"COCO_{number:012d}.jpg"
        put(root / path / name, data)
        sentences = [
            {"tokens": ["a"], "raw": f"caption {turn} of {number}", "imgid": number, "sentid": 5 * number + turn}
            for turn in range(5)
        ]
        images.append(
            {
                "filepath": path,
                "sentids": [sentence["sentid"] for sentence in sentences],
                "filename": name,
                "imgid": number,
                "split": ("test", "restval", "train", "val")[number % 4],
                "sentences": sentences,
                "cocoid": 1000 + number,
            }
        )
    images.append({**images[0], "filename": "COCO_gone.jpg", "cocoid": 1, "sentences": images[0]["sentences"]})
    put(root / "dataset_coco.json", json.dumps({"images": images, "dataset": "coco"}).encode())


def flickr8k(root: Path, pictures: list[bytes]) -> None:
    """Flickr8k_text.zip and Flickr8k_Dataset.zip: five lines an image, three lists of names."""
    tokens = ""
    names = [f"{number}_abc.jpg" for number in range(len(pictures))]
    for name, data in zip(names, pictures, strict=True):
        put(root / "Flicker8k_Dataset" / name, data)
        tokens += "".join(f"{name}#{turn}\tcaption {turn} , of {name}\n" for turn in range(5))
    put(root / "Flickr8k.token.txt", (tokens + "2258277193.jpg.1#0\tgone\nno tab\n").encode())
    for number, split in enumerate(("train", "dev", "test")):
        put(root / f"Flickr_8k.{split}Images.txt", "".join(f"{name}\n" for name in names[number::3]).encode())
    put(root / "readme.txt", b"If you publish work based on the data")


def _download(number: int) -> dict[str, object]:
    key = f"{number // 8:05d}{number % 8:04d}"
    return {
        "url": f"https://host/{number}.jpg",
        "caption": f"caption {number}",
        "key": key,
        "status": "success",
        "error_message": None,
        "width": 2,
        "height": 2,
        "exif": "{}",
        "sha256": "0" * 64,
    }


def _img2dataset(root: Path, pictures: list[bytes], *, archives: bool) -> None:
    for start in range(0, len(pictures), 8):
        shard = f"{start // 8:05d}"
        rows, members = [], []
        for number in range(start, min(start + 8, len(pictures))):
            row = _download(number)
            rows.append(row)
            sidecar = json.dumps(row).encode()
            members += [
                (f"{row['key']}.jpg", pictures[number]),
                (f"{row['key']}.txt", str(row["caption"]).encode()),
                (f"{row['key']}.json", sidecar),
            ]
        failed = _download(start + 7) | {
            "status": "failed_to_download",
            "error_message": "HTTP Error 404",
            "key": f"{shard}9001",
        }
        rows += [failed, failed | {"status": "failed_to_resize", "key": f"{shard}9002"}]
        if archives:
            archive(root / f"{shard}.tar", members)
        else:
            for name, data in members:
                put(root / shard / name, data)
        root.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), root / f"{shard}.parquet")
        put(root / f"{shard}_stats.json", json.dumps({"count": len(rows), "successes": len(rows) - 2}).encode())


def img2dataset_files(root: Path, pictures: list[bytes]) -> None:
    """img2dataset --output_format files."""
    _img2dataset(root, pictures, archives=False)


def img2dataset_archives(root: Path, pictures: list[bytes]) -> None:
    """img2dataset --output_format webdataset."""
    _img2dataset(root, pictures, archives=True)


def biomedica(root: Path, pictures: list[bytes]) -> None:
    """BIOMEDICA's shards: key.jpg, key.txt and key.json with article_* and image_* fields."""
    members = []
    for number, data in enumerate(pictures):
        about = {
            "image_file_name": f"g{number}.jpg",
            "image_hash": f"{number:032x}",
            "image_panel_type": "Single",
            "image_primary_label": ["Clinical Imaging"],
            "image_size": [2, 2],
            "image_context": {f"g{number}": ["As shown."]},
            "article_accession_id": f"PMC{number // 2}",
            "article_title": "A study",
            "article_journal": "J Med",
            "article_date": ("1728284400", "2019-03-01", "20200401", "")[number % 4],
            "article_license": "CC BY",
            "article_mesh_terms": ["Humans"],
        }
        caption = f"caption {number}" if number != 1 else "No caption found"
        members += [
            (f"{number:06d}.jpg", data),
            (f"{number:06d}.json", json.dumps(about).encode()),
            (f"{number:06d}.txt", caption.encode()),
        ]
    archive(root / "commercial_00000.tar", members)


def open_clip(root: Path, pictures: list[bytes]) -> None:
    """A tab-separated table as open_clip's --train-data wants it."""
    text = "filepath\ttitle\n"
    for number, data in enumerate(pictures):
        put(root / "images" / f"{number}.jpg", data)
        text += f"images/{number}.jpg\ttitle, {number}\n"
    put(root / "train.csv", text.encode())


def quilt(root: Path, pictures: list[bytes]) -> None:
    """Quilt-1M: a row a pair, so that an image with several captions has several rows."""
    text = ",caption,image_path,subset,split,pathology,roi_text,noisy_text,corrected_text,med_umls_ids,magnification\n"
    for turn, data in enumerate([*pictures, pictures[0]]):
        number = turn % len(pictures)
        put(root / "quilt_1m" / f"{number}.jpg", data)
        split = "val" if number % 2 else "train"
        text += f'{number},"caption, {turn}",{number}.jpg,quilt,{split},"[\'Skin\']",,,,,1.0\n'
    put(root / "quilt_1M_lookup.csv", text.encode())


def pmc_oa(root: Path, pictures: list[bytes]) -> None:
    """PMC-CLIP's PMC-OA: a file of JSON lines for each split, images in one folder."""
    rows = []
    for number, data in enumerate(pictures):
        put(root / "caption_T060_filtered_top4_sep_v0_subfigures" / f"PMC{number}_g1_0.jpg", data)
        rows.append({"image": f"PMC{number}_g1_0.jpg", "caption": f"caption {number}", "alignment_score": 0.5})
    for number, split in enumerate(("train", "valid", "test")):
        put(root / f"{split}.jsonl", lines_of(rows[number::3]))
