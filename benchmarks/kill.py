"""SIGKILL an index run at random moments, run it again, and compare with a run that nobody disturbed.

Every trial starts `retrieval index` in a fresh folder, kills it after a random time (two thirds of the trials within
the stretch in which it writes), runs the same command to the end and compares the digest and the bytes of every file
but the records' seconds and index.json's.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from environment import describe_machine

from retrieval.files import write_json


def command(source: Path, index: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "retrieval", "index", str(source), str(index)),
        *("--encoder", "starter", "--shard-size", "16", "--factory", "IVF4,Flat"),
    ]


def run(source: Path, index: Path, kill_after: float | None = None, *, once_writing: bool = False) -> bool:
    """Run to the end, or kill after so many seconds, counted from when the plan is written where `once_writing`.

    Gives whether it was killed before it ended.
    """
    process = subprocess.Popen(command(source, index), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while once_writing and process.poll() is None and not (index / "plan.json").exists():
        time.sleep(0.01)
    try:
        _, said = process.communicate(timeout=kill_after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    if process.returncode:
        raise SystemExit(f"the run failed by itself: {said.decode()}")
    return False


def content(index: Path) -> dict[str, str]:
    """File → hash of what it holds, times aside."""
    found = {}
    for path in sorted(p for p in index.rglob("*") if p.is_file() and p.name != ".lock"):
        data = path.read_bytes()
        if path.suffix == ".json":
            value = json.loads(data)
            value.pop("seconds", None)
            data = json.dumps(value, sort_keys=True).encode()
        found[str(path.relative_to(index))] = hashlib.sha256(data).hexdigest()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--figures", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/kill.json"))
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source = folder / "figures"
        draw = ["draw", str(source), "--count", str(args.figures)]
        subprocess.run([sys.executable, "-m", "retrieval", *draw], check=True, stdout=subprocess.DEVNULL)
        begun = time.monotonic()
        run(source, folder / "undisturbed")
        whole = time.monotonic() - begun
        writing = time.time() - (folder / "undisturbed" / "plan.json").stat().st_mtime
        expected = content(folder / "undisturbed")
        moments: list[dict[str, float]] = []
        while len(moments) < args.kills:
            index = folder / f"trial{len(moments)}"
            once_writing = len(moments) % 3 > 0
            moment = rng.uniform(0, writing if once_writing else whole)
            if not run(source, index, moment, once_writing=once_writing):  # it was over before the kill
                shutil.rmtree(index)
                continue
            shards = len(list(index.glob("shards/*.json")))
            leftovers = len(list(index.rglob("*.tmp")))
            run(source, index)
            found = content(index)
            differing = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
            if differing:
                raise SystemExit(f"killed at {moment:.1f} s, then run again: {', '.join(differing)} differ")
            moments.append(
                {"second": round(moment, 2), "of_writing": once_writing, "shards": shards, "half_written": leftovers}
            )
            print(f"{len(moments):>3} killed at {moment:5.1f} s with {shards:>2} shards: same", flush=True)
            shutil.rmtree(index)
    print(f"{len(moments)} runs killed, run again, and all equal to the undisturbed one")
    write_json(args.out, {"machine": describe_machine(), "seconds_undisturbed": round(whole, 1), "moments": moments})


if __name__ == "__main__":
    main()
