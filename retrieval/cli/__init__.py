"""The command `retrieval`: one subcommand a verb, one line and exit code 2 for whatever goes wrong."""

from __future__ import annotations

import argparse
import contextlib
import errno
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from retrieval import __version__
from retrieval.cli import (
    add,
    build,
    classify,
    completion,
    demo,
    diff,
    draw,
    encode,
    encoders,
    evaluate,
    export,
    index,
    info,
    map,
    overlap,
    remove,
    search,
    serve,
    vectors,
    verify,
)
from retrieval.cli.command_parser import CommandParser, add_talk, subparsers
from retrieval.errors import RetrievalError

TEMPORARY_NAME = re.compile(r"\.[0-9a-f]{8}\.tmp$")
COMMANDS = (
    index,
    encode,
    build,
    add,
    remove,
    diff,
    search,
    evaluate,
    classify,
    info,
    verify,
    export,
    overlap,
    map,
    serve,
    vectors,
    encoders,
    draw,
    demo,
    completion,
)

EXIT_CODES = """exit codes:
  0    done
  1    a check failed, or a comparison found differences
  2    a request that cannot be met; one sentence on stderr says why and what helps
  130  interrupted
environment:
  RETRIEVAL_ENCODER  the encoder of new indexes where --encoder is not given (default: biomedclip)
Start with: retrieval demo"""


def parser() -> CommandParser:
    """The whole command line; nothing heavy is imported to build it."""
    top = CommandParser(
        prog="retrieval",
        description="Cross-modal figure search: build an index from figures and captions, search it with words or "
        "images, measure its recall.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("-V", "--version", action="version", version=f"retrieval {__version__}")
    add_talk(top, default=False)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", parser_class=CommandParser)
    for module in COMMANDS:
        module.declare(commands)
    asking = commands.add_parser(
        "help",
        help="show the help of a command",
        description="Show the help of a command.",
        epilog="example:\n  retrieval help search",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    asking.add_argument("command", nargs="*", metavar="COMMAND", help="a command, and perhaps an action of it")
    asking.set_defaults(run=lambda args: _help(top, args.command), parser=asking, goes_on=False)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: its words; those of the process where None.

    Returns:
        The exit code: 0 done, 1 a check failed, 2 a request that cannot be met, 130 interrupted.
    """
    top = parser()
    args = top.parse_command(argv)
    if not hasattr(args, "run"):
        getattr(args, "parser", top).print_help()
        return 0
    with _logging(args):
        return _run(args)


def _run(args: argparse.Namespace) -> int:
    try:
        return int(args.run(args) or 0)
    except RetrievalError as error:
        logging.getLogger("retrieval").debug("where it was raised:", exc_info=True)
        return _fail(args.parser.with_flags(str(error)))
    except KeyboardInterrupt:
        print("\ninterrupted" + ("; run the same command again to continue" if args.goes_on else ""), file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone: `retrieval search ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _fail("the disk is full; what was committed is safe, free some space and run the same command again")
        if error.filename is None:
            raise
        place = Path(os.fsdecode(error.filename))
        if TEMPORARY_NAME.search(place.name):  # the place that was asked for, not where it is written first
            place = place.with_name(TEMPORARY_NAME.sub("", place.name))
        if error.errno == errno.ENOENT and not place.parent.exists():
            return _fail(f"{place.parent}: no such folder; make it, or choose a place that can be written")
        return _fail(f"{place}: {error.strerror}; choose a place that can be written")


def _help(top: CommandParser, command: Sequence[str]) -> None:
    found: argparse.ArgumentParser = top
    for name in command:
        if name not in subparsers(found):
            top.error(f"argument COMMAND: invalid choice: '{name}' (choose from {', '.join(subparsers(top))})")
        found = subparsers(found)[name]
    found.print_help()


class _ToStderr(logging.StreamHandler[TextIO]):
    """The handler of a command that runs."""


@contextlib.contextmanager
def _logging(args: argparse.Namespace) -> Iterator[None]:
    """What the library logs goes to stderr as it is, once, while a command runs, also one that runs others."""
    logger = logging.getLogger("retrieval")
    if any(isinstance(handler, _ToStderr) for handler in logger.handlers):
        yield
        return
    handler = _ToStderr(sys.stderr)
    before = logger.level, logger.propagate
    level = logging.DEBUG if args.verbose else logging.WARNING if args.quiet else logging.INFO
    handler.setLevel(level)
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]


def _fail(message: str) -> int:
    print(f"retrieval: {' '.join(message.split())}", file=sys.stderr)
    return 2
