"""What several commands share: argument types and how a command is declared."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

Run = Callable[[argparse.Namespace], int | None]


def command(commands: Any, name: str, run: Run, help: str, example: str) -> argparse.ArgumentParser:
    """Declare a command with its one-line help and an example of its use."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help.replace("%", "%%"),
        description=(help[0].upper() + help[1:] + ".").replace("%", "%%"),
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def at_least(smallest: int) -> Callable[[str], int]:
    """An argument type: a whole number that is not too small."""

    def whole_number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if value < smallest:
            raise argparse.ArgumentTypeError(f"{value} is less than {smallest}")
        return value

    return whole_number


def share(text: str) -> float:
    """An argument type: a share from 0 to 1, or per cent: 0.05 or 5%."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share; write 0.05 or 5%") from None
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value
