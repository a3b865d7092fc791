"""The commands with their arguments, as docs/cli.md lists them: `python -m retrieval.cli.manual` writes them there."""

from __future__ import annotations

import argparse
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path

from retrieval.cli import parser
from retrieval.cli.command_parser import helps, options_of, subparsers

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
BEGIN, END = "<!-- commands: made by `make docs` -->\n", "<!-- end of commands -->\n"
SHARED = ("help", "quiet", "verbose", "no_progress")  # of every command
MANY = {"?": "[{}]", "*": "[{}...]", "+": "{}..."}


def manual(top: argparse.ArgumentParser) -> str:
    """A table of all commands, then each with its example and its arguments, in Markdown."""
    commands = [found for name, command in subparsers(top).items() for found in _leaves(command, helps(top)[name])]
    table = [f"| `{_usage(command)}` | {_cell(about)} |" for command, about in commands]
    parts = ["\n".join(["| command | |", "|---|---|", *table]), *(_section(command) for command, _ in commands)]
    return "\n\n".join(parts) + "\n"


def updated(document: str) -> str:
    """A document whose part between the marks is what the parser says now."""
    before, _, rest = document.partition(BEGIN)
    return f"{before}{BEGIN}\n{manual(parser())}\n{END}{rest.partition(END)[2]}"


def _leaves(command: argparse.ArgumentParser, about: str) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    """A command, unless its actions have to be named, and its actions."""
    actions = subparsers(command)
    if not any(isinstance(action, argparse._SubParsersAction) and action.required for action in command._actions):
        yield command, about
    for name, action in actions.items():
        yield action, helps(command)[name]


def _usage(command: argparse.ArgumentParser) -> str:
    words = [MANY.get(str(action.nargs), "{}").format(_value(action)) for action in _words(command)]
    return " ".join([command.prog, *words])


def _section(command: argparse.ArgumentParser) -> str:
    about, _, example = (command.epilog or "").partition("example:\n")
    rows = [f"| `{_value(action)}` | {_meaning(action)} |" for action in _words(command)]
    rows += [
        f"| {_flags(action)} | {_meaning(action)} |" for action in options_of(command) if action.dest not in SHARED
    ]
    parts = [f"### {command.prog}", command.description or "", about, f"```\n{textwrap.dedent(example).strip()}\n```"]
    parts += ["\n".join(["| argument | |", "|---|---|", *rows])] if rows else []
    return "\n\n".join(part.strip() for part in parts if part.strip())


def _words(command: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    return (
        action
        for action in command._actions
        if not action.option_strings and action.help != argparse.SUPPRESS and action.nargs != argparse.PARSER
    )


def _flags(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f" {MANY.get(str(action.nargs), '{}').format(_value(action))}"
    return ", ".join(f"`{flag}{value}`" for flag in action.option_strings).replace("|", "\\|")


def _value(action: argparse.Action) -> str:
    if isinstance(action.metavar, tuple):
        return " ".join(action.metavar)
    choices = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else ""
    return action.metavar or choices or (action.dest.upper() if action.option_strings else action.dest)


def _meaning(action: argparse.Action) -> str:
    return _cell((action.help or "") % {"default": action.default})


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    os.environ.pop("RETRIEVAL_ENCODER", None)  # a default of this machine, not of the program
    DOCUMENT.write_text(updated(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
