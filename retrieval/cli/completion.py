"""The `completion` command: a script that completes commands and options in bash, zsh or fish."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

from retrieval.cli.command_parser import helps, options_of, subparsers
from retrieval.cli.options import command

BASH = """_retrieval() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[$((COMP_CWORD - 1))]}} path="" one words="" options=""
    for one in "${{COMP_WORDS[@]:1:$((COMP_CWORD - 1))}}"; do
        case "$path $one" in
{paths}
        esac
    done
    case "$path $before" in
{choices}
        *) case "$path" in
{words}
        esac
    esac
    [[ "$word" == -* ]] && words=$options
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    [ ${{#COMPREPLY[@]}} -gt 0 ] || COMPREPLY=($(compgen -f -- "$word"))
}}
complete -o filenames -F _retrieval retrieval
"""
ZSH = "autoload -U +X bashcompinit && bashcompinit\n"


def declare(commands: Any) -> None:
    completion = command(
        commands,
        "completion",
        run,
        "print a script that completes commands and options in your shell",
        "retrieval completion bash > ~/.local/share/bash-completion/completions/retrieval\n"
        '  eval "$(retrieval completion zsh)"\n'
        "  retrieval completion fish > ~/.config/fish/completions/retrieval.fish",
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish")


def run(args: argparse.Namespace) -> None:
    from retrieval.cli import parser

    print(script(parser(), args.shell), end="")


def script(top: argparse.ArgumentParser, shell: str) -> str:
    """The completion script of a parser for a shell."""
    if shell == "fish":
        return "".join(f"{line}\n" for line in _fish(top))
    commands = list(_commands(top))
    paths = "|".join(f'"{path}"' for path, _ in commands[1:])
    bash = BASH.format(
        paths=f'            {paths}) path="$path $one" ;;',
        choices="\n".join(f'        "{case}") words="{words}" ;;' for case, words in _choices(commands)),
        words="\n".join(
            f'            "{path}") words="{" ".join(subparsers(parser))}" options="{" ".join(_flags(parser))}" ;;'
            for path, parser in commands
        ),
    )
    return (ZSH if shell == "zsh" else "") + bash


def _commands(parser: argparse.ArgumentParser, path: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """A parser and all below it, each with the words that lead there, as in " encoders check"."""
    yield path, parser
    for name, within in subparsers(parser).items():
        yield from _commands(within, f"{path} {name}")


def _choices(commands: Sequence[tuple[str, argparse.ArgumentParser]]) -> Iterator[tuple[str, str]]:
    """The values that may follow an option of a command, by the words before them."""
    for path, parser in commands:
        for action in options_of(parser):
            for flag in action.option_strings if action.choices else ():
                yield f"{path} {flag}", " ".join(map(str, action.choices or ()))


def _flags(parser: argparse.ArgumentParser) -> list[str]:
    return [name for action in options_of(parser) for name in action.option_strings if name.startswith("--")]


def _fish(top: argparse.ArgumentParser) -> Iterator[str]:
    for name, parser in subparsers(top).items():
        yield f"complete -c retrieval -n __fish_use_subcommand -f -a {name} -d {_quoted(helps(top)[name])}"
        for within, about in helps(parser).items():
            yield f"complete -c retrieval -n '__fish_seen_subcommand_from {name}' -f -a {within} -d {_quoted(about)}"
        for action in options_of(parser):
            values = f" -x -a '{' '.join(map(str, action.choices))}'" if action.choices else ""
            for option in action.option_strings:
                flag = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
                about = _quoted(" ".join(((action.help or "") % vars(action)).split()))
                yield f"complete -c retrieval -n '__fish_seen_subcommand_from {name}' {flag}{values} -d {about}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
