"""Options of a command that are made from the fields of an options dataclass."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, fields

import pytest

from retrieval.cli import parser
from retrieval.cli.command_parser import options_of, subparsers
from retrieval.cli.options import add_fields, field_values
from retrieval.search.search_options import SearchOptions


@dataclass(frozen=True)
class Shapes:
    k: int = field(default=10, metadata={"help": "how many", "at_least": 1})
    where: tuple[str, ...] = field(default=(), metadata={"help": "which", "metavar": "CLAUSE"})
    per_side: int | None = field(default=None, metadata={"help": "of each side", "at_least": 0})
    filled: bool = field(default=False, metadata={"help": "100 % of the inside"})
    colour: str = field(default="red", metadata={"help": "its colour", "choices": ("red", "blue"), "flag": "--paint"})
    max_skips: float = field(default=0.05, metadata={"help": "left out", "share": True})
    angle: float | None = field(default=None, metadata={"help": "degrees"})
    sides: tuple[int, ...] = field(default=(3, 4), metadata={"help": "how many", "at_least": 3})


@pytest.fixture
def command() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(exit_on_error=False)
    add_fields(made, Shapes)
    return made


def test_without_options_the_values_are_the_defaults_of_the_fields(command: argparse.ArgumentParser) -> None:
    values = field_values(command.parse_args([]), Shapes)
    assert values == {one.name: one.default for one in fields(Shapes)}


def test_each_field_is_an_option_of_its_type(command: argparse.ArgumentParser) -> None:
    words = "-k 3 --where a --where b --per-side 0 --filled --paint blue --max-skips 7% --angle 1.5 --sides 5 --sides 6"
    values = field_values(command.parse_args(words.split()), Shapes)
    expected = {"k": 3, "where": ("a", "b"), "per_side": 0, "filled": True, "colour": "blue", "angle": 1.5}
    expected["sides"] = (5, 6)
    assert values == expected | {"max_skips": 0.07}


@pytest.mark.parametrize("words", ["-k 0", "-k many", "--per-side -1", "--paint green", "--max-skips 7", "--sides 2"])
def test_values_that_a_field_forbids_are_refused(words: str, command: argparse.ArgumentParser) -> None:
    with pytest.raises(argparse.ArgumentError):
        command.parse_args(words.split())


def test_the_help_is_that_of_the_fields_with_their_defaults(command: argparse.ArgumentParser) -> None:
    text = " ".join(command.format_help().split())
    for told in (
        "how many (default: 10)",
        "which; repeatable",
        "100 % of",
        "its colour (default: red)",
        "(default: 5%)",
        "(default: 3 4)",
    ):
        assert told in text
    assert "of each side (default" not in text


def test_search_takes_every_option_of_a_search() -> None:
    flags = {action.dest for action in options_of(subparsers(parser())["search"])}
    assert {one.name for one in fields(SearchOptions)} <= flags
