"""The `demo` command: the whole story on drawn figures."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from retrieval.cli import draw
from retrieval.cli.options import command


def declare(commands: Any) -> None:
    demo = command(
        commands,
        "demo",
        run,
        "draw figures, index them, ask both ways, measure recall, leave a page to look at",
        "retrieval demo .",
    )
    demo.add_argument("folder", metavar="FOLDER", nargs="?", default=".", help="where it all goes (default: here)")
    demo.add_argument("--encoder", default="starter", help="encoder to show (default: starter)")
    draw.draw_arguments(demo)


def run(args: argparse.Namespace) -> int:
    from retrieval.cli import main
    from retrieval.demo.story import run_story

    folder = Path(args.folder)
    code = run_story(folder, args.encoder, args.count, args.seed, main)
    if not code:
        print(f"\nopen {folder / 'demo.html'} in a browser to see the answers, or ask yourself, on a page of its own:")
        print(f"{_own_name()} serve {shlex.quote(str(folder / 'indexes' / 'demo'))}")
    return code


def _own_name() -> str:
    """As this command was called, where it is not on the path: .venv/bin/retrieval."""
    called = Path(sys.argv[0])
    return "retrieval" if shutil.which("retrieval") or called.name != "retrieval" else str(called)
