"""Results and how their values are written, for the modules that render tables of docs/scale.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
NOT_MEASURED = "Not measured yet: run `benchmarks/{}.py`."


def load(name: str) -> Any:
    """The results of a benchmark; None where it has not run."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def chosen(parameters: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" if name != "index_param" else value for name, value in parameters.items())


def measured_on(result: Any) -> str:
    machine = result["machine"]
    return f"{machine['processor']}, {machine['cores']} cores, {machine['date']}"


def gigabytes(amount: float) -> str:
    return f"{amount / 1e9:,.1f} GB" if amount >= 1e9 else f"{amount / 1e6:,.0f} MB"


def duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:,.0f} s"
