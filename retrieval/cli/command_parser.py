"""The parser of the command line: options in any order, a guess where a name is misspelt, shared options."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

INVALID_CHOICE = re.compile(
    r"argument (?P<name>.+?): invalid choice: '(?P<word>.*)' \(choose from (?P<known>.*)\)", re.DOTALL
)
NOUNS = {"COMMAND": "command", "ACTION": "action"}


class CommandParser(argparse.ArgumentParser):
    """An ArgumentParser whose positionals and options may stand in any order, and that guesses what was meant."""

    _intermixing = False

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse has it, but `search INDEX -k 5 words` is understood as `search INDEX words -k 5` is."""
        if self._intermixing or any(action.nargs == argparse.PARSER for action in self._actions):
            return super().parse_known_args(args, namespace)
        self._intermixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._intermixing = False

    def parse_command(self, args: Sequence[str] | None) -> argparse.Namespace:
        """The arguments of a whole command line. Exits with 2 and one sentence where they are not understood."""
        found, unknown = self.parse_known_args(args)
        if unknown:
            command, word = getattr(found, "parser", self), unknown[0]
            options = [name for parser in (command, self) for name in parser._option_string_actions]
            guess = _guess(word.split("=")[0], options)
            command.error(f"{word}: not understood{guess}" if word.startswith("-") else f"{word}: one word too many")
        return found

    def error(self, message: str) -> NoReturn:
        """Exit with 2 and one sentence; a misspelt command or choice gets the nearest one."""
        wrong = INVALID_CHOICE.fullmatch(message)
        if wrong:
            guess = _guess(wrong["word"], re.findall(r"[^\s,']+", wrong["known"]))
            noun = NOUNS.get(wrong["name"])
            message = f"{wrong['word']}: no such {noun}{guess}" if noun else message + guess
        see = " See" if message.endswith("?") else "; see"
        self.exit(2, f"{self.prog}: {message}{see}: {self.prog} --help\n")

    def with_flags(self, message: str) -> str:
        """A message of the library in the words of the command line: --image-column, not image_column."""
        for action in options_of(self):
            flag, names = action.option_strings[-1], {action.dest, f"{action.dest}s"}
            for name in names if "_" in action.dest else ():
                message = re.sub(rf"(?<![\w/.='\"-]){name}(?![\w/.='\"-])", flag, message)
        return message


def subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands of a parser by name; none where it has no commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def helps(parser: argparse.ArgumentParser) -> dict[str, str]:
    """The one-line help of each command of a parser."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return {choice.dest: (choice.help or "").replace("%%", "%") for choice in action._choices_actions}
    return {}


def options_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The options of a command, without those that are hidden."""
    return (action for action in parser._actions if action.option_strings and action.help != argparse.SUPPRESS)


def add_talk(parser: argparse.ArgumentParser, *, default: Any = argparse.SUPPRESS) -> None:
    """-q, -v and --no-progress, before and behind the command's name."""
    talk = parser.add_argument_group("output")
    talk.add_argument("-q", "--quiet", action="store_true", default=default, help="results and errors only")
    talk.add_argument(
        "-v", "--verbose", action="store_true", default=default, help="say more, also where an error came from"
    )
    talk.add_argument("--no-progress", action="store_true", default=default, help="show no progress")


def _guess(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
