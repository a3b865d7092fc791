"""Write the bundle's model card from the results of report.py and the manifests of the packed data."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from report import table

TEMPLATE = Path(__file__).with_name("card.md")


def against(report: dict[str, Any], before: dict[str, Any]) -> str:
    """What another version reached on the same pools."""
    parts = []
    for pool, what in (("heldout_1000", "the held-out figures"), ("generated", "the generated ones")):
        now, then = (
            [facts[pool]["all"][way]["hit_rate@10"]["value"] for way in ("t2i", "i2t")] for facts in (report, before)
        )
        parts.append(f"{then[0]:.3f} and {then[1]:.3f} on {what} (now {now[0]:.3f} and {now[1]:.3f})")
    return f"The version before reached hit@10 (t2i and i2t) {'; '.join(parts)}."


def facts(folder: Path, report: dict[str, Any], real: dict[str, Any], drawn: dict[str, Any]) -> dict[str, Any]:
    """The values of the card's blanks."""
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    text = json.loads((folder / "config.json").read_text())
    corpora, silent = [], 0
    for name, numbers in real["corpora"].items():
        licences = Counter(numbers["train_licences"])
        silent += numbers["train_without_text"]
        corpora.append(f"| {name} | {numbers['splits']['train']} | {', '.join(sorted(licences))} |")
    return {
        "trunk": config["vision_cfg"]["timm_model_name"],
        "size": config["vision_cfg"]["image_size"],
        "layers": text["num_hidden_layers"],
        "width": text["hidden_size"],
        "vocabulary": text["vocab_size"],
        "context": config["text_cfg"]["context_length"],
        "parameters": report["parameters"] / 1e6,
        "megabytes": report["bytes"] / 1e6,
        "pairs": real["splits"]["train"] - silent,
        "texts": real["train_texts"],
        "silent": silent,
        "drawn": drawn["count"],
        "seed": drawn["seed"],
        "corpora": "\n".join(corpora),
        "held": report["heldout_1000"]["all"]["t2i"]["queries"],
        "table": table(report),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("results", type=Path, help="what report.py wrote")
    parser.add_argument("real", type=Path, help="what pack.py wrote")
    parser.add_argument("drawn", type=Path, help="what draw.py wrote")
    parser.add_argument("--version", type=int, required=True)
    parser.add_argument("--before", type=Path, help="what report.py wrote of the version before")
    options = parser.parse_args()
    report = json.loads(options.results.read_text())
    real, drawn = (json.loads((folder / "manifest.json").read_text()) for folder in (options.real, options.drawn))
    blanks = facts(options.bundle, report, real, drawn) | {"version": options.version, "before": ""}
    if options.before:
        blanks["before"] = against(report, json.loads(options.before.read_text()))
    card = TEMPLATE.read_text(encoding="utf-8").format(**blanks)
    (options.bundle / "README.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
