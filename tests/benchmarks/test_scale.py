"""Measuring growth: processes and their memory, recall, exponents, and the tables."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import frontier_tables
import numpy as np
import pytest
import rendering
import scale
import scale_tables


def hold(megabytes: int) -> int:
    held = np.ones(megabytes * 1_000_000, dtype=np.uint8)
    time.sleep(0.5)
    return int(held[-1])


def fail() -> None:
    raise SystemExit(3)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_the_memory_of_a_step_is_that_of_its_own_process() -> None:
    measured = scale.in_a_process(hold, 200)
    assert measured["value"] == 1
    assert 200 < measured["peak_mb"]["anonymous"] < 600
    assert measured["s"] >= 0.5


def test_a_step_that_dies_is_said_to_have_died() -> None:
    with pytest.raises(SystemExit, match="fail: its process ended"):
        scale.in_a_process(fail)


def test_rows_are_written_as_people_write_them() -> None:
    assert [scale.in_rows(text) for text in ("512", "100k", "1.5M")] == [512, 100_000, 1_500_000]


def test_recall_is_the_share_of_the_nearest_that_were_found_in_any_order() -> None:
    exact = np.array([[0, 1], [2, 3], [4, 5]])
    found = np.array([[1, 0], [3, 9], [-1, -1]])
    result = scale.recall(found, exact)
    assert result["value"] == 0.5
    assert result["interval"] == [0.0, 1.0]


def test_the_exponent_of_a_power_law_is_found() -> None:
    rows = [1e5, 1e6, 5e6]
    assert scale_tables.exponent(rows, [3 * n**0.7 for n in rows]) == pytest.approx(0.7)


def test_a_measured_size_is_not_measured_again_and_the_tables_show_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scale.json"
    asked = ["scale.py", str(tmp_path / "work"), "--rows", "2k", "--dim", "32", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", asked)
    scale.main()
    assert "2000 rows: build" in capsys.readouterr().out
    assert not (tmp_path / "work" / "2000").exists()
    scale.main()
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(rendering, "RESULTS", tmp_path)
    assert "| 2,000 | `Flat` |" in scale_tables.building()
    assert "| 2,000 | tuned | exact | 1.000 [1.000, 1.000] | 1.000 |" in scale_tables.searching()
    assert "`IVF16384,PQ16x4fsr`" in scale_tables.on_paper()


def test_ranks_on_paper_grow_with_the_square_of_the_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [{"method": name, "pairs": 2**14, "seconds": 1.0, "bytes": 3e8} for name in ("both_ranks", "numpy loop")]
    full = {"pairs": 1_000_000, "seconds": 60.0, "peak_bytes": 2.5e9}
    result = {"machine": {"processor": "P", "cores": 2, "date": "today"}, "dim": 512, "runs": runs, "full": full}
    (tmp_path / "evaluation-at-scale.json").write_text(json.dumps(result | {"exponents": {"seconds": 1.97}}))
    monkeypatch.setattr(rendering, "RESULTS", tmp_path)
    assert (
        "| 16,384 | 1.0 s | 300 MB |\n| 1,000,000 | 60.0 s | 2.5 GB, the whole process |" in scale_tables.evaluating()
    )
    assert "| exact ranks both ways, from 1,000,000 pairs by N² | 9.6 h | 6.9 days |" in scale_tables.on_paper()


def test_encoding_on_paper_is_proportional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = [{"ours": {"both": seconds}} for seconds in (9.0, 10.0, 90.0)]
    result = {"encoder": "starter", "figures": 1000, "per_second": {}, "rounds": rounds}
    (tmp_path / "encode.json").write_text(json.dumps(result | {"biomedclip_sized": result | {"encoder": "large"}}))
    monkeypatch.setattr(rendering, "RESULTS", tmp_path)
    for encoder in ("starter", "large"):
        assert f"| encoding here, {encoder}, proportional | 2.8 days | 11.6 days |" in scale_tables.on_paper()


def test_a_document_says_what_was_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "RESULTS", tmp_path)
    for table in (scale_tables.building, scale_tables.searching, scale_tables.evaluating, frontier_tables.side_by_side):
        assert table().startswith("Not measured yet: run `benchmarks/")
    assert "encoding" not in scale_tables.on_paper()
