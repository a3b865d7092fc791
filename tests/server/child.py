"""A server for a process of its own, `python -m tests.server.child FOLDER SECONDS`: each batch takes so long."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from retrieval.server.run import serve
from retrieval.server.service import Service
from retrieval.types import Tokens, Vectors
from tests.doubles import ColourEncoder


class Slow(ColourEncoder):
    def encode_texts(self, tokens: Tokens) -> Vectors:
        time.sleep(float(sys.argv[2]))
        return super().encode_texts(tokens)


if __name__ == "__main__":
    service = Service({"colours": Path(sys.argv[1])}, encoder=Slow())
    serve(service, port=0, say=lambda line: print(line, flush=True))
