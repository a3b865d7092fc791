"""A process that searched forks, and its child searches too: gunicorn --preload, a pool, a DataLoader's worker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import retrieval

ASK_ON_BOTH_SIDES = """
import os, select, signal, sys, numpy, retrieval
index = retrieval.open(sys.argv[1])
texts = [f"a picture of {number}" for number in range(40)]
index.encoder.encode_texts(texts)  # in several threads
from retrieval.indexes.faiss_import import faiss
vectors = numpy.random.default_rng(0).random((20000, 64), numpy.float32)
lists = faiss.index_factory(64, "IVF64,Flat")
lists.train(vectors), lists.add(vectors)
lists.search(vectors[:500], 5)
before = [hit.figure_id for hit in index.search("a blue field", k=3)]
ended, write = os.pipe()
child = os.fork()
if child == 0:
    index.encoder.encode_texts(texts)
    lists.search(vectors[:500], 5)
    os.write(write, repr([hit.figure_id for hit in index.search("a blue field", k=3)]).encode())
    os._exit(0)
came = select.select([ended], [], [], 60)[0]
print("hangs" if not came else os.read(ended, 1000).decode() == repr(before))
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_answers_after_its_parent_searched(colour_folder: Path, tmp_path: Path) -> None:
    retrieval.index(colour_folder, tmp_path / "index", encoder="starter", progress=False)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK_ON_BOTH_SIDES, str(tmp_path / "index")],
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
        env={name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"},
    )
    assert done.stdout.strip() == "True"
