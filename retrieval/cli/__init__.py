"""The command `retrieval`: one subcommand a verb, one line and exit code 2 for whatever goes wrong."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence

from retrieval import __version__
from retrieval.cli import (
    build,
    change,
    classify,
    demo,
    encoders,
    evaluate,
    export,
    index,
    info,
    map,
    search,
    serve,
    vectors,
)
from retrieval.errors import RetrievalError

COMMANDS = (
    index,
    build,
    change,
    search,
    evaluate,
    classify,
    info,
    export,
    map,
    serve,
    vectors,
    encoders,
    demo,
)


def parser() -> argparse.ArgumentParser:
    """The whole command line; nothing heavy is imported to build it."""
    top = argparse.ArgumentParser(
        prog="retrieval",
        description="Cross-modal figure search: build an index from figures and captions, ask it with words or "
        "images, measure its recall.",
        epilog="Start with: retrieval demo",
    )
    top.add_argument("--version", action="version", version=f"retrieval {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code: 0 done, 1 a check failed, 2 a request that cannot be met."""
    args = parser().parse_args(argv)
    try:
        return int(args.run(args) or 0)
    except RetrievalError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print("\nstopped; the same command continues where it was", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone: `retrieval search ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _fail("the disk is full; what was committed is safe, free some space and run the same command again")
        if error.filename is None:
            raise
        return _fail(f"{error.filename}: {error.strerror}; choose a place that can be written")


def _fail(message: str) -> int:
    print(f"retrieval: {' '.join(message.split())}", file=sys.stderr)
    return 2
