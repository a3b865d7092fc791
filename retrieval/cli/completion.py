"""The `completion` command: a script that completes commands and options in bash, zsh or fish."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from retrieval.cli.command_parser import helps, options_of, subparsers
from retrieval.cli.options import command

BASH = """_retrieval() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} command=${{COMP_WORDS[1]}} words=""
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{commands}" -- "$word"))
        return
    fi
    case "$command" in
{cases}
    esac
    if [[ "$word" == -* ]] || {{ [ "$COMP_CWORD" -eq 2 ] && [[ "$words" != -* ]]; }}; then
        COMPREPLY=($(compgen -W "$words" -- "$word"))
    fi
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
    words = {name: " ".join([*subparsers(parser), *_names(parser)]) for name, parser in subparsers(top).items()}
    cases = "\n".join(f'        {name}) words="{some}" ;;' for name, some in words.items())
    bash = BASH.format(commands=" ".join([*words, *_names(top)]), cases=cases)
    return (ZSH if shell == "zsh" else "") + bash


def _names(parser: argparse.ArgumentParser) -> list[str]:
    return [name for action in options_of(parser) for name in action.option_strings if name.startswith("--")]


def _fish(top: argparse.ArgumentParser) -> Iterator[str]:
    for name, parser in subparsers(top).items():
        yield f"complete -c retrieval -n __fish_use_subcommand -f -a {name} -d {_quoted(helps(top)[name])}"
        for within in subparsers(parser):
            yield f"complete -c retrieval -n '__fish_seen_subcommand_from {name}' -f -a {within}"
        for action in options_of(parser):
            for option in action.option_strings:
                flag = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
                about = _quoted(" ".join((action.help or "").replace("%%", "%").split()))
                yield f"complete -c retrieval -n '__fish_seen_subcommand_from {name}' {flag} -d {about}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
