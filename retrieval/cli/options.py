"""What several commands share: argument types and how a command is declared."""

from __future__ import annotations

import argparse
import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from retrieval.cli.command_parser import add_talk

if TYPE_CHECKING:
    from retrieval.types import Progress

Run = Callable[[argparse.Namespace], int | None]


def command(
    commands: Any, name: str, run: Run, help: str, example: str, *, goes_on: bool = False
) -> argparse.ArgumentParser:
    """Declare a command with its one-line help and an example of its use.

    `goes_on`: an interrupted run is continued by the same command.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help.replace("%", "%%"),
        description=help[0].upper() + help[1:] + ("" if help.endswith("?") else "."),
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, parser=parser, goes_on=goes_on)
    add_talk(parser)
    return parser


def change_options(parser: argparse.ArgumentParser) -> None:
    """The options of `add` and `remove` that say how a change is recorded."""
    parser.add_argument("--reason", metavar="TEXT", help="why, to be kept with every figure withdrawn")
    parser.add_argument(
        "--no-build", action="store_true", help="leave the FAISS indexes to `retrieval build`, as for more changes"
    )


def default_encoder() -> str:
    """The encoder for new indexes: $RETRIEVAL_ENCODER, else biomedclip."""
    return os.environ.get("RETRIEVAL_ENCODER") or "biomedclip"


def progress(args: argparse.Namespace, unit: str = "figures") -> Progress:
    """Shows how far a run is, on stderr; nothing with --no-progress or --quiet."""
    from retrieval.indexer.progress import watcher
    from retrieval.types import Silent

    return Silent() if args.no_progress or args.quiet else watcher(unit)


def say(line: str) -> None:
    """Tell on stderr what is being done; silenced by --quiet."""
    logging.getLogger("retrieval").info(line)


def add_fields(
    parser: argparse.ArgumentParser, options: type[Any], names: Sequence[str] = (), **changed: Mapping[str, Any]
) -> None:
    """Declare the fields of an options dataclass, all or those `names`: defaults and help stand there alone.

    A field's metadata has its help, and where they apply choices, metavar, flag, at_least (a smallest number) and share
    (True: from 0 to 1). `changed` are other arguments of `add_argument` for a field.
    """
    for one in fields(options):
        if names and one.name not in names:
            continue
        about = dict(one.metadata)
        flag = about.get("flag") or (f"-{one.name}" if len(one.name) == 1 else f"--{one.name.replace('_', '-')}")
        asked: dict[str, Any] = {"dest": one.name, "help": _help_of(about["help"], one.default)}
        if isinstance(one.default, bool):
            asked["action"] = "store_true"
        else:
            many = isinstance(one.default, tuple)
            asked |= {"action": "append", "default": []} if many else {"default": one.default}
            asked["type"] = _type_of(str(one.type), about)
            asked |= {"metavar": "N"} if asked["type"] else {}
        asked |= {name: about[name] for name in ("choices", "metavar") if name in about}
        parser.add_argument(flag, **(asked | dict(changed.get(one.name, {}))))


def field_values(args: argparse.Namespace, options: type[Any], names: Sequence[str] = ()) -> dict[str, Any]:
    """The values of the fields that `add_fields` declared, as keywords."""
    values = {one: getattr(args, one.name) for one in fields(options) if not names or one.name in names}
    return {
        one.name: (tuple(value) or one.default) if isinstance(value, list) else value for one, value in values.items()
    }


def _help_of(help: str, default: Any) -> str:
    """The help of a field: whether it may be repeated, and its default unless that is said or goes without saying."""
    if isinstance(default, tuple):
        help, default = f"{help}; repeatable", " ".join(map(str, default)) or None
    elif isinstance(default, float) and default < 1:
        default = f"{default:.0%}"
    told = "(default" in help or default is None or isinstance(default, bool)
    return (help if told else f"{help} (default: {default})").replace("%", "%%")


def _type_of(annotation: str, about: Mapping[str, Any]) -> Callable[[str], Any] | None:
    if about.get("share"):
        return share
    if "at_least" in about:
        return at_least(about["at_least"])
    plain = {"int": int, "float": float}
    return plain.get(annotation.removesuffix(" | None").removesuffix(", ...]").removeprefix("tuple["))


def reason_lines(what: str, reasons: Counter[str]) -> list[str]:
    """A line for each reason, the commonest first: skipped 3: image is empty."""
    return [f"  {what} {count}: {reason}" for reason, count in reasons.most_common()]


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
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1; write 5% or 0.05 for a twentieth")
    return value
