"""Archives: WebDataset's shards, and what shells, browsers and tools make of folders."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import tarfile

import pyarrow as pa

from tests.corpora.tar_files import tar
from tests.corpora.ways import PICTURES, TEXTS, Pair, Way, images

MEMBERS = {
    f"{n:06d}.{kind}": data
    for n in range(3)
    for kind, data in (("png", PICTURES[n]), ("txt", TEXTS[n]), ("json", json.dumps({"year": 2000 + n})))
}
SHARD = tar(MEMBERS)
AGAIN = tar({"000000.png": PICTURES[3], "000000.txt": TEXTS[3]})
ALL: tuple[Pair, ...] = tuple((n, (TEXTS[n],)) for n in range(4))
IN_FOLDERS = images("images/{}.png") | {f"captions/{n}.txt": TEXTS[n] for n in range(3)}

WAYS = [
    Way("WebDataset shard: key.png, key.txt, key.json in a .tar", {"0.tar": SHARD}),
    Way("shards whose keys all begin at 000000", {"a.tar": SHARD, "b.tar": AGAIN}, ALL),
    Way("shards joined with cat or tar -A", {"0.tar": SHARD + AGAIN}, ALL),
    Way("shards compressed with gzip, by a wrong name", {"0.tar": gzip.compress(SHARD)}),
    Way("a .tar.gz that a browser unpacked", {"0.tar.gz": SHARD}),
    Way(
        "shards compressed with bzip2, xz or Zstandard",
        {
            "0.tar.bz2": bz2.compress(tar({"0.png": PICTURES[0], "0.txt": TEXTS[0]})),
            "1.tar.xz": lzma.compress(tar({"1.png": PICTURES[1], "1.txt": TEXTS[1]})),
            "2.tar.zst": pa.compress(tar({"2.png": PICTURES[2], "2.txt": TEXTS[2]}), codec="zstd", asbytes=True),
        },
    ),
    Way(
        "a shard with masks, classes and arrays beside the images",
        {
            "0.tar": tar(
                {
                    f"{n}.{kind}": data
                    for n in range(3)
                    for kind, data in {"png": PICTURES[n], "seg.png": PICTURES[3], "txt": TEXTS[n], "cls": "1"}.items()
                }
            )
        },
    ),
    Way(
        "a shard with several images of one key and one caption",
        {"0.tar": tar({"k.0.png": PICTURES[0], "k.1.png": PICTURES[1], "k.txt": TEXTS[0]})},
        ((0, (TEXTS[0],)), (1, (TEXTS[0],))),
    ),
    Way(
        "a shard with several captions of one image",
        {"0.tar": tar({"k.png": PICTURES[0], "k.0.txt": TEXTS[0], "k.1.txt": TEXTS[1]})},
        ((0, TEXTS[:2]),),
    ),
    Way(
        "a shard whose captions are in JSON, also as a list",
        {
            "0.tar": tar(
                {"a.png": PICTURES[0], "a.json": json.dumps({"caption": TEXTS[0]})}
                | {"b.png": PICTURES[1], "b.json": json.dumps([TEXTS[1], TEXTS[2]])}
            )
        },
        ((0, (TEXTS[0],)), (1, TEXTS[1:3])),
    ),
    Way(
        "a shard with dots in its keys (fig1.png, fig1.2.png)",
        {
            "0.tar": tar(
                {"fig1.png": PICTURES[0], "fig1.txt": TEXTS[0], "fig1.2.png": PICTURES[1], "fig1.2.txt": TEXTS[1]}
                | {"v.3.png": PICTURES[2], "v.3.txt": TEXTS[2]}
            )
        },
    ),
    Way(
        "a shard with all images first, then all captions",
        {"0.tar": tar(dict(sorted(MEMBERS.items(), key=lambda member: member[0].rpartition(".")[2])))},
    ),
    Way(
        "a folder packed with tar: images/ and captions/ side by side",
        {"data.tar": tar({f"./{name}": data for name, data in IN_FOLDERS.items()}, format=tarfile.GNU_FORMAT)},
    ),
    Way(
        "a folder packed with tar, its captions in a table",
        {"data.tar": tar(images("{}.png") | {"captions.csv": "image,caption\n0.png,zero\n"})},
        refusal=r"3 images without any caption, .*captions\.csv.* unpack them and give the folder, or say --images",
    ),
    Way(
        "shards beside an index of them and in deeper folders",
        {"0.tar": SHARD, "0.idx": "v1", "sizes.json": "{}", "more/1.tar": AGAIN},
        unread={
            "0.idx": "kind of file is not read",
            "sizes.json": "JSON of no image of this name",
            "more/1.tar": "archive in a folder below the others: give its path",
        },
    ),
    Way(
        "an archive of films or arrays only",
        {"0.tar": tar({"0.mp4": "film", "1.npy": "array"})},
        refusal=r"no images and no captions in 1 archives, only 0\.tar/0\.mp4 \(film: its frames are not read\)",
    ),
]
