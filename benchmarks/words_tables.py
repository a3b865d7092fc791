"""The table of docs/questions.md from benchmarks/results/hybrid.json: `tables.py` puts it there."""

from __future__ import annotations

from rendering import NOT_MEASURED, load, measured_on

MEASURES = ("hit_rate@1", "hit_rate@10", "mrr")


def hybrid() -> str:
    """Vectors, words and both, asked with second descriptions of the same figures."""
    result = load("hybrid")
    if result is None:
        return NOT_MEASURED.format("hybrid")
    lines = ["| asked for | measure | vectors | words | both |", "|---|---|---|---|---|"]
    for direction, wanted in (("t2i", "images"), ("t2t", "captions")):
        modes = result["directions"][direction]["all"]
        for measure in MEASURES:
            cells = (_cell(modes[mode][measure]) for mode in ("dense", "lexical", "hybrid"))
            lines.append(f"| {wanted} | {measure} | {' | '.join(cells)} |")
    asked = result["directions"]["t2i"]["all"]["dense"]["mrr"]["queries"]
    return "\n".join(
        [
            *lines,
            "",
            f"{result['figures']:,} textbook figures, asked with {asked:,} alternative texts written apart from their "
            f"captions; encoder {result['encoder']}, weight of the vectors {result['dense_weight']} as tuned on the "
            f"{result['tuned_on']:,} other texts, of other articles; intervals over articles; {measured_on(result)}.",
        ]
    )


def _cell(estimate: dict[str, object]) -> str:
    low, high = estimate["interval"]  # type: ignore[misc]
    return f"{estimate['value']:.3f} [{low:.3f}, {high:.3f}]"
