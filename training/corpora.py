"""The figure-caption pairs to train on, and which side of the split each is on."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pair:
    """One image file with the texts that describe it, best first. `group` is what no split may cut through."""

    key: str
    corpus: str
    image: Path
    texts: tuple[str, ...]
    group: str
    licence: str


def read_pairs(data: Path) -> list[Pair]:
    """Every pair of every corpus under `data`, in a fixed order. German captions are left out, their images kept."""
    pairs = []
    for table in sorted(data.glob("*/captions.jsonl")):
        corpus = table.parent.name
        for line in table.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            texts = [row["caption"], row.get("alt") or ""]
            kept = tuple(text.strip() for text in texts if text.strip()) if row.get("lang") != "de" else ()
            pairs.append(
                Pair(
                    key=f"{corpus}/{row['id']}",
                    corpus=corpus,
                    image=table.parent / row["image"],
                    texts=kept,
                    group=f"{corpus}/{row['article_id']}",
                    licence=row["licence"],
                )
            )
    return pairs


def split_pairs(pairs: list[Pair], data: Path, *, validation: int = 900, seed: int = 0) -> dict[str, str]:
    """Pair key → test, validation, train or dropped.

    test is `heldout_1000.json`. Pairs tied to a test pair, by article or as the same picture, directly or through
    others, are dropped. Validation takes whole components of at most 60 pairs, each corpus giving at most its share
    of `validation`.
    """
    heldout = json.loads((data / "heldout_1000.json").read_text(encoding="utf-8"))
    test = {f"{corpus}/{name}" for corpus, names in heldout.items() for name in names}
    clusters = json.loads((data / "near_duplicates.json").read_text(encoding="utf-8"))
    side = {}
    components = _components(pairs, clusters)
    small = []
    for component in components:
        if any(pair.key in test for pair in component):
            side.update({pair.key: "test" if pair.key in test else "dropped" for pair in component})
        else:
            side.update({pair.key: "train" for pair in component})
            if len(component) <= 60:
                small.append(component)
    wanted = _shares(Counter(pair.corpus for pair in pairs), validation)
    random.Random(seed).shuffle(small)
    taken: Counter[str] = Counter()
    for component in small:
        corpora = Counter(pair.corpus for pair in component if pair.texts)
        if corpora and all(taken[corpus] + count <= wanted[corpus] for corpus, count in corpora.items()):
            taken.update(corpora)
            side.update({pair.key: "validation" if pair.texts else "dropped" for pair in component})
    return side


def _shares(counts: Counter[str], total: int) -> dict[str, int]:
    everything = sum(counts.values())
    return {corpus: round(count * total / everything) for corpus, count in counts.items()}


def _components(pairs: list[Pair], clusters: Iterable[list[str]]) -> list[list[Pair]]:
    """Pairs joined by article or by being the same picture, transitively (union-find over group names)."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    group_of = {pair.key: pair.group for pair in pairs}
    for cluster in clusters:
        groups = [group_of[key] for key in cluster if key in group_of]
        for other in groups[1:]:
            parent[root(other)] = root(groups[0])
    components: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        components[root(pair.group)].append(pair)
    return list(components.values())
