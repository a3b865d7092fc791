"""Render benchmarks/results/*.json into the tables of documents, between `<!-- name -->` and `<!-- /name -->`.

python benchmarks/tables.py           # rewrite README.md and docs/{encoders,scale,server,questions}.md
python benchmarks/tables.py --check   # exit 1 where they say something else than the results
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from frontier_tables import side_by_side
from scale_tables import building, evaluating, on_paper, pairs, searching
from serve_tables import serving
from speed_tables import beside, four_numbers, speed
from words_tables import hybrid

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


def encoders() -> str:
    """Every kind of published encoder at full size, with random weights: what opens, how exactly and how fast."""
    result = load("encoders")
    lines = [
        "| encoder | published as | opens offline by | checked against | figures, captions | precision | load | memory "
        "| one caption | captions, figures /s |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(encoder_row(row) for row in result["rows"]),
    ]
    return "\n".join([*lines, "", encoders_summary(result)])


def encoder_row(row: dict[str, Any]) -> str:
    if "reason" in row:
        return f"| `{row['name']}` | {row['layout']} | not opened: {row['reason']} | | | | | | | |"
    ways = "hub name, local path" if row["hub"] else "local path"
    far = ", ".join(f"{row['difference'][side]:.0e}" for side in ("images", "texts") if side in row["difference"])
    far = far.replace("0e+00", "0")
    load, query = (
        f"{median(row[key]['ours']):.{digits}f} {unit} ({median(row[key]['theirs']):.{digits}f})"
        for key, unit, digits in (("load_s", "s", 1), ("query_ms", "ms", 0))
    )
    memory = f"{row['memory_mb']['ours'] / 1000:.1f} GB ({row['memory_mb']['theirs'] / 1000:.1f})"
    rates = ", ".join(f"{row[key]:.1f}" for key in ("texts_per_second", "images_per_second") if row[key])
    exact = f"{ways} | {row['against']} | {far} | {row['precision']}"
    return f"| `{row['name']}` | {row['layout']} | {exact} | {load} | {memory} | {query} | {rates} |"


def encoders_summary(result: Any) -> str:
    """What holds for all rows together, and on what they were measured."""
    rows = [row for row in result["rows"] if "reason" not in row]
    by_name = [row for row in rows if row["hub"]]
    asked = sum(row["asked_network"] for row in rows)
    same = sum(row["hub_has_same_fingerprint"] for row in by_name)
    apart = min(value for row in rows for value in row["apart"].values())
    loads = sorted(row["load_average"] for row in rows)
    precisions = " and ".join(sorted({row["precision"] for row in rows}))
    cropped = max(8 - row["figures_prepared_alike"] for row in rows)
    ways = max(row["hub_difference"] for row in by_name)
    return (
        f"{len(rows)} of {len(result['rows'])} opened, with {asked or 'no'} attempts to reach the network. By name and "
        f"by path {same} of {len(by_name)} have one fingerprint, and their vectors differ by at most {ways:.0e}; "
        f"vectors of different inputs differ by {apart:.0e} or more. Of the 8 figures {cropped} are cropped otherwise "
        f"by transformers. {precisions}, threads: {result['threads']}; {measured(result)}, "
        f"load average {loads[0]:.0f} to {loads[-1]:.0f}."
    )


DOCUMENTS: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"beside": beside, "numbers": four_numbers},
    "docs/encoders.md": {"starter": starter, "encoders": encoders},
    "docs/scale.md": {
        "speed": speed,
        "pairs": pairs,
        "building": building,
        "searching": searching,
        "evaluating": evaluating,
        "side_by_side": side_by_side,
        "on_paper": on_paper,
    },
    "docs/server.md": {"serve": serving},
    "docs/questions.md": {"hybrid": hybrid},
}


def rendered(document: str, text: str) -> str:
    for name, section in DOCUMENTS[document].items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"{document} has no <!-- {name} --> section")
        text = pattern.sub(lambda found, s=section: f"{found[1]}\n{s()}\n\n{found[2]}", text)
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether the documents are up to date")
    args = parser.parse_args()
    stale = False
    for document in DOCUMENTS:
        path = ROOT / document
        before = path.read_text(encoding="utf-8")
        after = rendered(document, before)
        stale = stale or before != after
        if not args.check:
            path.write_text(after, encoding="utf-8")
    return int(args.check and stale)


if __name__ == "__main__":
    sys.exit(main())
