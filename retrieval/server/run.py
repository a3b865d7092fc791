"""Runs the application until it is told to stop; then what was begun is finished."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable, Collection
from contextlib import suppress

import uvicorn

from retrieval.errors import RetrievalError
from retrieval.server.app import create_app
from retrieval.server.middleware import Token
from retrieval.server.service import Service

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
CONNECTIONS = 1000
BACKLOG = 2048
PORTS = range(1 << 16)
LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"


class ServeError(RetrievalError):
    """The server cannot be started as it was asked to."""


def serve(
    service: Service,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: Token | None = None,
    hosts: Collection[str] = (),
    say: Callable[[str], None] = print,
) -> None:
    """Answer on `host` and `port` (0: a free one) until SIGTERM or SIGINT; `say` gets the address once all is open.

    On loopback, requests must call the server by a name of this machine or one of `hosts`: a page elsewhere could
    otherwise read the answers through a name of its own that leads here. Raises ServeError where the port is taken or
    the address is none of this machine's, and what opening an index raises.
    """
    logging.basicConfig(format=LOG_FORMAT, level=logging.WARNING)
    logging.getLogger("retrieval.server").setLevel(logging.INFO)
    listening = listen(host, port)
    failures: list[Exception] = []

    def failed(error: Exception) -> None:
        failures.append(error)
        server.should_exit = True

    def opened() -> None:
        address = listening.getsockname()
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        say(f"serving {', '.join(service.folders)} on http://{shown}:{address[1]}/ (API: /docs); stop with Ctrl-C")

    names = {*hosts, *LOOPBACK} if host in LOOPBACK else set(hosts)
    app = create_app(service, token=token, hosts=names, ready=opened, failed=failed)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=int(service.limits.seconds) + 1,
    )
    server = uvicorn.Server(config)
    before = signal.signal(signal.SIGTERM, lambda number, frame: None)  # uvicorn raises it again once it has stopped
    try:
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
    finally:
        signal.signal(signal.SIGTERM, before)
    if failures:
        raise failures[0]


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Its protocol is named, or asyncio would leave Nagle's algorithm on: 40 ms more an answer."""
    if port not in PORTS:  # getaddrinfo would take the rest of a division
        raise ServeError(f"{host}:{port}: there is no such port; choose another --host or --port")
    listening: socket.socket | None = None
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
        return listening
    except OSError as error:
        if listening is not None:
            listening.close()
        raise ServeError(f"{host}:{port}: {error.strerror}; choose another --host or --port") from error
