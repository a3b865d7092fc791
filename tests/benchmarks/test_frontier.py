"""The side by side: every system answers the same questions, and only the best points are drawn."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import frontier
import frontier_child
import frontier_tables
import numpy as np
import pytest
import rendering


def test_points_that_another_beats_on_both_are_left_out() -> None:
    found = [(0.9, 1.0), (0.95, 2.0), (0.93, 3.0), (0.99, 2.0), (0.8, 1.5)]
    points = [{"recall_ood": recall, "ms": ms} for recall, ms in found]
    assert frontier.frontier(points, "ms") == [(0.9, 1.0), (0.99, 2.0)]


def test_a_row_named_twice_counts_once() -> None:
    assert frontier_child.recall(np.array([[3, 3]]), np.array([[3, 4]])) == 0.5


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_systems_are_merged_into_one_result_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    out, picture = tmp_path / "frontier.json", tmp_path / "frontier.png"
    options = ["--rows", "2000", "--dim", "32", "--queries", "60", "--out", str(out), "--plot", str(picture)]
    for system in ("flat", "ours"):
        asked = ["frontier.py", str(tmp_path / "work"), *options, "--system", system]
        monkeypatch.setattr(sys, "argv", asked)
        frontier.main()
    result = json.loads(out.read_text())
    assert list(result["systems"]) == ["flat", "ours"]
    for system in result["systems"].values():
        assert [point["recall_ood"] for point in system["points"]] == [1.0]
    assert picture.stat().st_size > 10_000
    monkeypatch.setattr(rendering, "RESULTS", tmp_path)
    assert "| faiss Flat | 0.99 | exact | 1.000, 1.000 |" in frontier_tables.side_by_side()
    monkeypatch.setattr(sys, "argv", ["frontier.py", str(tmp_path / "work"), *options, "--rows", "3000"])
    with pytest.raises(SystemExit, match="another comparison"):
        frontier.main()
