"""How long a command takes from a cold start: `retrieval --help`, a question by id, a question in words.

A question in words imports torch and open_clip and loads its encoder; what it spends beyond that is ours. Its stages
are timed in a process of their own, in wall seconds and in processor seconds, which see less of what else runs.

python benchmarks/startup.py --source figures/ --encoder starter
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from environment import describe_machine

from retrieval.files import write_json

STAGES = """
import sys, time
marks = []
def mark(stage):
    marks.append((stage, time.time() - {begun}, time.process_time()))
mark("interpreter")
from retrieval.cli import main, parser
from retrieval.search.searcher import Searcher
mark("imports")
searcher = Searcher({index!r})
mark("open index")
import torch, open_clip
mark("import torch and open_clip")
searcher.encoder
mark("load encoder")
answer = searcher.search({words!r}, k=10)
repr(answer)
mark("search and look up")
import json
print(json.dumps(marks))
"""
THEIRS = ("import torch and open_clip", "load encoder")
WORDS = "microscopy of a cell"


def stages(index: Path) -> dict[str, dict[str, float]]:
    """Wall and processor seconds of each stage of a question in words, in a fresh process."""
    script = STAGES.format(begun=time.time(), index=str(index), words=WORDS)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    marks = json.loads(done.stdout)
    before = [("", 0.0, 0.0), *marks]
    return {
        stage: {"wall_s": wall - before[i][1], "cpu_s": cpu - before[i][2]}
        for i, (stage, wall, cpu) in enumerate(marks)
    }


def command(*argv: str) -> dict[str, float]:
    """Wall and processor seconds of one command."""
    begun, before = time.perf_counter(), os.times()
    subprocess.run([sys.executable, "-m", "retrieval", *argv], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall_s": time.perf_counter() - begun, "cpu_s": spent}


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {unit: round(median(values[unit] for values in rounds), 4) for unit in ("wall_s", "cpu_s")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--index", type=Path, help="a built index")
    given.add_argument("--source", help="a collection of figures to index first")
    parser.add_argument("--encoder", default="starter", help="for --source (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/startup.json"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        index = args.index or Path(temporary) / "index"
        if args.source:
            argv = ["index", args.source, str(index), "--encoder", args.encoder]
            subprocess.run([sys.executable, "-m", "retrieval", *argv], check=True, stdout=subprocess.DEVNULL)
        write_json(args.out, {"machine": describe_machine(), "rounds": args.rounds} | measure(index, args.rounds))


def measure(index: Path, rounds: int) -> dict[str, Any]:
    from retrieval.indexes.opened_index import OpenedIndex

    built = OpenedIndex(index)
    figure = built.shards.take("images" if built.count("image") else "texts", [0], ["figure_id"])[0]["figure_id"]
    commands = {
        "help": ("--help",),
        "question by id": ("search", str(index), "--figure", figure),
        "question in words": ("search", str(index), WORDS),
    }
    timed: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    staged: list[dict[str, dict[str, float]]] = []
    for _ in range(rounds + 1):  # the first fills the page cache and is not counted
        for name, argv in commands.items():
            timed[name].append(command(*argv))
        staged.append(stages(index))
    staged, timed = staged[1:], {name: times[1:] for name, times in timed.items()}
    result: dict[str, Any] = {
        "encoder": built.plan.encoder,
        "figures": built.plan.total,
        "commands": {name: medians(times) for name, times in timed.items()},
        "stages": {stage: medians([times[stage] for times in staged]) for stage in staged[0]},
    }
    shares = {}
    for unit in ("wall_s", "cpu_s"):
        theirs = [sum(times[stage][unit] for stage in THEIRS) for times in staged]
        whole = [sum(stage[unit] for stage in times.values()) for times in staged]
        shares[unit] = round(median((all_ - some) / some for all_, some in zip(whole, theirs, strict=True)), 4)
    result["beyond_torch_and_model"] = shares
    for name, times in result["commands"].items():
        print(f"{name}: {times['wall_s']:.2f} s ({times['cpu_s']:.2f} s of processor)")
    for name, times in result["stages"].items():
        print(f"  {name}: {times['wall_s']:.3f} s ({times['cpu_s']:.3f})")
    print(f"beyond torch and the model: {shares['wall_s']:.1%} of their time ({shares['cpu_s']:.1%} of processor)")
    return result


if __name__ == "__main__":
    main()
