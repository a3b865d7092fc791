"""The gate in front of every route: who may ask, and how much; what every answer carries, and where it is noted."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retrieval.server.problems import MIB, Limits
from retrieval.server.prometheus import Metrics

log = logging.getLogger("retrieval.server")
COOKIE = "retrieval_token"
OPEN_PATHS = frozenset({"/", "/health", "/ready"})
"""What a token does not guard: the page has no data in it, and load balancers have no token."""
POLLED = frozenset({"/health", "/ready", "/metrics"})
"""What machines ask every few seconds: noted for debugging only."""
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A secret that requests must show: `Authorization: Bearer`, or the cookie that an answer to one of those sets.

    The cookie is for pictures on the page, which a browser asks for without that header; it holds a digest.
    """

    secret: str

    @property
    def cookie(self) -> str:
        return hmac.new(self.secret.encode(), b"cookie", hashlib.sha256).hexdigest()

    def shown_in_header(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and _equal(given.strip(), self.secret)

    def shown_in_cookie(self, headers: Headers) -> bool:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        return COOKIE in cookies and _equal(cookies[COOKIE].value, self.cookie)


def _name(host: str) -> str:
    """A Host header without its port: example.org:8000, [::1]:8000."""
    return (host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]).lower()


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())


class Guard:
    """ASGI middleware. `hosts` are the names that a request may call this server by; none means any."""

    def __init__(
        self, app: ASGIApp, *, limits: Limits, metrics: Metrics, token: Token | None, hosts: Collection[str]
    ) -> None:
        self.app, self._limits, self._metrics, self._token, self._hosts = app, limits, metrics, token, frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        without_body = scope["method"] == "HEAD"
        if without_body:  # in a copy: the server above goes on with its own scope, which must still say HEAD
            scope = {**scope, "method": "GET"}
        began = time.perf_counter()
        headers = Headers(scope=scope)
        by_cookie = self._token is not None and self._token.shown_in_cookie(headers)
        by_header = self._token is not None and self._token.shown_in_header(headers)
        scope["known"] = self._token is None or by_cookie or by_header
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._complete(message, scope, with_cookie=by_header and not by_cookie)
            elif without_body and message["type"] == "http.response.body":
                if message.get("more_body", False):
                    return
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        try:
            await self._answer(scope, headers, receive, answer)
        except Exception:
            log.exception("%s broke the server; please report it", quote(scope["path"]))
            if status:  # too late to say so
                raise
            await _refuse(answer, 500, "this request broke something, and the server's log says what; please report it")
        finally:
            self._note(scope, status, time.perf_counter() - began)

    async def _answer(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope, headers)
        if refusal is None:
            await self.app(scope, self._measured(receive), send)
        else:
            await _refuse(send, *refusal)

    def _complete(self, message: Message, scope: Scope, *, with_cookie: bool) -> None:
        """Put in what every answer carries."""
        headers = MutableHeaders(scope=message)
        for name, value in SECURITY.items():
            headers.setdefault(name, value)
        headers.setdefault("Cache-Control", "no-cache" if scope["path"].startswith("/static/") else "no-store")
        if with_cookie and self._token is not None:
            secure = "; Secure" if scope.get("scheme") == "https" else ""
            headers.append("Set-Cookie", f"{COOKIE}={self._token.cookie}; HttpOnly; SameSite=Strict; Path=/{secure}")

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.requests.labels(route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        client = (scope.get("client") or ("-",))[0]
        # without the query string: what people look for is theirs
        level = logging.DEBUG if scope["path"] in POLLED else logging.INFO
        log.log(level, "%s %s %d %.0f ms %s", scope["method"], quote(scope["path"]), status, 1000 * seconds, client)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        if self._hosts and _name(headers.get("host", "")) not in self._hosts:
            return 421, "this server is not called so; add the name with --allow-host"
        if not (scope["known"] or scope["path"] in OPEN_PATHS or scope["path"].startswith("/static/")):
            return 401, "a token is needed; send it as Authorization: Bearer"
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._limits.body:
            return 413, self._too_large
        return None

    @property
    def _too_large(self) -> str:
        return f"the request is larger than {self._limits.body / MIB:.0f} MiB; send smaller images, or fewer at once"

    def _measured(self, receive: Receive) -> Receive:
        """`receive` that refuses a body that grows too large or does not arrive."""
        size, whole = 0, False

        async def measured() -> Message:
            nonlocal size, whole
            if whole:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self._limits.seconds)
            except TimeoutError:
                raise HTTPException(408, "the request did not arrive in time; send it again") from None
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                whole = not message.get("more_body", False)
                if size > self._limits.body:
                    raise HTTPException(413, self._too_large)
            return message

        return measured


async def _refuse(send: Send, status: int, message: str) -> None:
    body = json.dumps({"error": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
