"""The table of docs/server.md from benchmarks/results/serve.json: `tables.py` puts it there."""

from __future__ import annotations

from rendering import NOT_MEASURED, load, measured_on


def serving() -> str:
    """Requests a second and latency by clients, with and without encoding together, and the gain."""
    result = load("serve")
    if result is None:
        return NOT_MEASURED.format("serve")
    lines = [
        "| clients | encoding | requests a second | p50, p95, p99 ms | queries a batch | processor ms a request "
        "| request's time outside the model |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in sorted(result["rows"], key=lambda row: row["clients"]):
        cells = (
            str(row["clients"]),
            row["encoding"],
            f"{row['requests_a_second']:.0f}",
            f"{row['p50_ms']:.0f}, {row['p95_ms']:.0f}, {row['p99_ms']:.0f}",
            f"{row['queries_a_batch']:.1f}",
            f"{row['processor_ms_a_request']:.1f}",
            f"{row['request_outside_model']:.0%}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    gains = " and ".join(
        f"{gain['requests_a_second']:.1f} times as many with {clients} clients"
        for clients, gain in result["gain"].items()
        if clients != "1"
    )
    index = result["index"]
    about = f"{index['rows']['image']:,} images, {index['encoder']}, {index['k']} hits a query"
    place = "clients and other work on the same machine"
    return "\n".join(
        [*lines, "", f"Requests a second with encoding together: {gains}. {about}; {place}; {measured_on(result)}."]
    )
