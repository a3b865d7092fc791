"""The `serve` command: a search page and an HTTP API over one or more indexes."""

from __future__ import annotations

import argparse
import logging
import os
from functools import partial
from pathlib import Path
from typing import Any

from retrieval.cli.options import at_least, command
from retrieval.errors import QueryError

TOKEN = "RETRIEVAL_TOKEN"
SHORTEST_TOKEN = 16
MIB = 1 << 20


def declare(commands: Any) -> None:
    serve = command(
        commands,
        "serve",
        run,
        "open a search page and an HTTP API over one or more indexes, for this machine unless told otherwise",
        "retrieval serve indexes/mine --port 8123",
    )
    serve.add_argument(
        "index", nargs="+", metavar="INDEX", help="a built index; NAME=INDEX gives it another name than its folder's"
    )
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine)")
    serve.add_argument("--port", type=int, default=8000, help="port, 0 for a free one (default: %(default)s)")
    serve.add_argument(
        "--token-file",
        metavar="FILE",
        help=f"ask for the token in this file, or in ${TOKEN}; without, none is asked for",
    )
    serve.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a name that requests may use; repeatable"
    )
    serve.add_argument("--originals", action="store_true", help="give out image files that lie below the source")
    serve.add_argument("--encoder", help="where the indexes' encoder is found, if not under its own name")
    serve.add_argument("--device", help="torch device of the encoders (default: a GPU where there is one)")
    limits = serve.add_argument_group("limits, of one request")
    for name, default, help in (
        ("--max-k", 200, "hits"),
        ("--max-upload", 20, "MiB of an image file"),
        ("--max-pixels", 40_000_000, "pixels of an image"),
        ("--max-text", 10_000, "characters of a query"),
        ("--max-queries", 256, "queries of a batch"),
        ("--max-waiting", 512, "queries that wait for one encoder; beyond, the answer is 503"),
        ("--seconds", 30, "seconds until it is given up"),
    ):
        limits.add_argument(name, type=at_least(1), default=default, metavar="N", help=f"{help} (default: %(default)s)")


def run(args: argparse.Namespace) -> None:
    try:
        from retrieval.server.middleware import Token
        from retrieval.server.problems import Limits
        from retrieval.server.run import LOG_FORMAT, serve
        from retrieval.server.service import Service
    except ModuleNotFoundError as error:
        raise QueryError(f"the server needs {error.name}; run: pip install 'retrieval[server]'") from error
    limits = Limits(
        k=args.max_k,
        upload=args.max_upload * MIB,
        pixels=args.max_pixels,
        text=args.max_text,
        queries=args.max_queries,
        waiting=args.max_waiting,
        seconds=args.seconds,
    )
    for handler in logging.getLogger("retrieval").handlers:
        handler.setFormatter(logging.Formatter(LOG_FORMAT))
    secret = token(args.token_file)
    service = Service(
        _folders(args.index), encoder=args.encoder, device=args.device, originals=args.originals, limits=limits
    )
    serve(
        service,
        host=args.host,
        port=args.port,
        token=Token(secret) if secret else None,
        hosts=args.allow_host,
        say=partial(print, flush=True),
    )


def _folders(given: list[str]) -> dict[str, Path]:
    """The folder of each index by the name that it is served under."""
    folders: dict[str, Path] = {}
    for text in given:
        name, equals, folder = text.partition("=")
        path = Path(folder if equals and not Path(text).exists() else text)
        name = name if equals and not Path(text).exists() else Path(os.path.abspath(path)).name
        if name in folders:
            raise QueryError(f"{text}: an index called {name} is there already; call this one otherwise: NAME={path}")
        if not name or "/" in name:
            raise QueryError(f"{text}: {name!r} is no name for an index; write NAME=FOLDER with a plain name")
        folders[name] = path
    return folders


def token(file: str | None) -> str | None:
    """The token that requests must show; None where none was set."""
    try:
        secret = os.environ.get(TOKEN) if file is None else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(f"{file}: cannot be read as text; give a file that holds the token") from error
    if secret is None:
        return None
    secret = secret.strip()
    if len(secret) < SHORTEST_TOKEN or not secret.isascii() or not secret.isprintable():
        raise QueryError(
            f"the token in {file or '$' + TOKEN} is not {SHORTEST_TOKEN} plain characters or more; take a longer one"
        )
    return secret
