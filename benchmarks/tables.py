"""Render benchmarks/results/*.json into the tables of README.md, between `<!-- name -->` and `<!-- /name -->`.

python benchmarks/tables.py           # rewrite README.md
python benchmarks/tables.py --check   # exit 1 where README.md says something else than the results
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def load(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def measured(result: Any) -> str:
    machine = result["machine"]
    return f"{machine['processor']}, {machine['cores']} cores, {machine['date']}"


def interval(estimate: dict[str, Any], digits: int = 3) -> str:
    low, high = estimate["interval"]
    return f"{estimate['value']:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def starter() -> str:
    """Held-out pairs of real corpora and held-out drawings, both directions."""
    result = load("heldout")
    names = {"all": "held-out pairs of 12 real corpora", "demo": "held-out combinations of drawn figures"}
    lines = [
        "| queries | direction | queries, pool | hit_rate@1 | hit_rate@10 (95 %) | median rank | chance of hit@10 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, title in names.items():
        for way, arrow in (("t2i", "text → image"), ("i2t", "image → text")):
            direction = result["reports"][name]["directions"][way]
            m = direction["measures"]
            lines.append(
                f"| {title} | {arrow} | {direction['answerable']}, {direction['gallery']} "
                f"| {m['hit_rate@1']['value']:.3f} | {interval(m['hit_rate@10'])} | {m['median_rank']['value']:.0f} "
                f"| {10 / direction['gallery']:.3f} |"
            )
    lines.append(
        f"\nMeasured with `benchmarks/heldout.py`, {result['machine']['date']}; by corpus in its results file."
    )
    return "\n".join(lines)


def speed() -> str:
    """What is faster than the obvious way, and by how much, each within one run."""
    encode, search, ranks, kill = load("encode"), load("search"), load("evaluation"), load("kill")
    one, many, approximate = (entry | {"ms": f"{entry['ours_ms']:.1f} ms"} for entry in search["search"][:3])
    largest = max(ranks["sizes"], key=lambda entry: entry["pairs"])
    encoded = f"encoding {encode['figures']} figures with `{encode['encoder']}`, shards and thumbnails included"
    times, memory = largest["time_ratio"]["argsort"], largest["memory_ratio"]["argsort"]
    exact = f"{search['rows']:,} × {search['dim']} exact, one query"
    in_batches = f"{many['ratio']:.1f} times in batches of {many['queries']}"
    look_up = search["whole_columns_ms"] / search["look_up_ms"]
    rows = [
        (encoded, "open_clip's own loop over the same files", f"{encode['ratio']:.1f} times as fast"),
        (
            f"exact ranks of {largest['pairs']:,} pairs",
            "a sorted score matrix",
            f"{times:.1f} times as fast, 1/{memory:.0f} of the memory",
        ),
        (exact, "product and full sort in numpy", f"{one['ms']}, {one['ratio']:.1f} times as fast; {in_batches}"),
        (
            f"the same with `{approximate['factory']}`",
            "exact",
            f"{approximate['ms']} at recall {approximate['recall']:.3f}",
        ),
        (
            "captions and thumbnails of 10 hits",
            "reading the columns",
            f"{search['look_up_ms']:.0f} ms, {look_up:.0f} times as fast",
        ),
        (
            f"`retrieval index` killed with SIGKILL at {len(kill['moments'])} random moments, then run again",
            "an undisturbed run",
            "every file the same, every time",
        ),
    ]
    lines = ["| what | beside | result |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    lines.append(f"\nRatios within one run each ({measured(search)}); raw values in `benchmarks/results/`.")
    return "\n".join(lines)


SECTIONS: dict[str, Callable[[], str]] = {"starter": starter, "speed": speed}


def rendered(text: str) -> str:
    for name, section in SECTIONS.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"README.md has no <!-- {name} --> section")
        text = pattern.sub(lambda found, s=section: f"{found[1]}\n{s()}\n\n{found[2]}", text)
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether README.md is up to date")
    args = parser.parse_args()
    readme = ROOT / "README.md"
    before = readme.read_text(encoding="utf-8")
    after = rendered(before)
    if args.check:
        return int(before != after)
    readme.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
