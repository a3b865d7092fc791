"""Reading articles of PubMed Central beside parsing their XML alone, the least that any reader does.

    python benchmarks/jats.py ../shared/data/raw-formats/jats-pmc-style --copies 20

The article folders of SOURCE are copied under other names, so that there are as many as a small collection has.
Seconds are processor seconds: opening (every article is parsed and its figures counted) and reading (captions, metadata
and image files). Memory is what the opened corpus holds (tracemalloc).
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from environment import describe_machine
from lxml import etree

from retrieval.corpora import open_corpus
from retrieval.files import write_json
from retrieval.types import Corpus, Figure

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    begun = time.process_time()
    result = work()
    return time.process_time() - begun, result


def copied(source: Path, folder: Path, copies: int) -> list[Path]:
    """The XML of the copies. Articles are known by their ids, so each copy gets ids of its own."""
    articles = []
    for number in range(copies):
        for article in sorted(path for path in source.iterdir() if path.is_dir()):
            target = folder / f"{article.name}-{number}"
            shutil.copytree(article, target)
            for path in [*target.glob("*.nxml"), *target.glob("*.xml")]:
                text = path.read_text(encoding="utf-8")
                path.write_text(text.replace("</article-id>", f".{number}</article-id>"), encoding="utf-8")
                articles.append(path)
    return articles


def parse(articles: list[Path]) -> None:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    for article in articles:
        etree.parse(str(article), parser)


def read(corpus: Corpus) -> int:
    return sum(isinstance(figure, Figure) for split in corpus.split(1000) for figure in corpus.read(split))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder of article folders")
    parser.add_argument("--copies", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/jats.json"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        articles = copied(args.source, folder, args.copies)
        parse(articles)  # the first pass pays for the page cache
        parsing, _ = timed(lambda: parse(articles))
        opening, corpus = timed(lambda: open_corpus(folder))
        reading, figures = timed(lambda: read(corpus))
        tracemalloc.start()
        for _ in range(2):  # the first time, caches of the libraries grow as well
            before = tracemalloc.get_traced_memory()[0]
            held = open_corpus(folder)
            memory = tracemalloc.get_traced_memory()[0] - before
            del held
    result: dict[str, Any] = {
        "machine": describe_machine(),
        "articles": len(articles),
        "figures": figures,
        "parse_s": round(parsing, 3),
        "open_s": round(opening, 3),
        "read_s": round(reading, 3),
        "open_ratio": round(opening / parsing, 2),
        "read_ratio": round(reading / parsing, 2),
        "articles_a_second_opened": round(len(articles) / opening, 1),
        "figures_a_second_read": round(figures / reading, 1),
        "bytes_an_article": round(memory / len(articles)),
    }
    write_json(args.out, result)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
