"""The side by side of docs/scale.md from benchmarks/results/frontier.json: `tables.py` puts it there."""

from __future__ import annotations

from typing import Any

from rendering import NOT_MEASURED, chosen, load, measured_on

TARGETS = (0.95, 0.99)


def side_by_side() -> str:
    """Every index at its fastest point that reaches a recall."""
    result = load("frontier")
    if result is None:
        return NOT_MEASURED.format("frontier")
    lines = [
        "| index | recall ≥ | parameters | recall@10 OOD, ID | one query p50, p95 ms | batch ms | memory, own + mapped "
        "| build CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for target in TARGETS:
        for system in result["systems"].values():
            reaching = [point for point in system["points"] if point["recall_ood"] >= target]
            if reaching:
                lines.append(system_row(system, f"{target}", min(reaching, key=lambda point: point["single_p50_ms"])))
            else:
                best = max(system["points"], key=lambda point: point["recall_ood"])
                lines.append(system_row(system, f"{target} not reached", best))
    for system in result["systems"].values():
        for point in system["points"]:
            if point["parameters"] == system["own_choice"]:
                lines.append(system_row(system, "own choice", point))
    heading = f"{result['rows']:,} × {result['dim']}, variant {result['variant']}, k = {result['k']}, one thread"
    packages = dict(item for system in result["systems"].values() for item in system["versions"].items())
    versions = ", ".join(f"{name} {number}" for name, number in packages.items() if name not in ("retrieval", "numpy"))
    return "\n".join([*lines, "", f"{heading}; {versions}; {measured_on(result)}."])


def system_row(system: Any, wanted: str, point: Any) -> str:
    memory = system["memory"]["searched_mb"]
    cells = (
        system["title"],
        wanted,
        chosen(point["parameters"]) or "exact",
        f"{point['recall_ood']:.3f}, {point['recall_id']:.3f}",
        f"{point['single_p50_ms']:.2f}, {point['single_p95_ms']:.2f}",
        f"{point['batch_ms']:.2f}",
        f"{memory['anonymous']:,.0f} + {memory['mapped']:,.0f} MB",
        f"{system['build']['cpu_s']:,.0f}",
    )
    return f"| {' | '.join(cells)} |"
