"""Search a served index over HTTP with the same calls as a local one."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urljoin
from urllib.request import Request, urlopen

from retrieval.errors import FilterError, QueryError, RetrievalError
from retrieval.images.pictures import Picture, open_picture
from retrieval.search.query import Answer, Query
from retrieval.shards.filters import Filter, as_clauses
from retrieval.types import Figure, Hit

SECONDS = 60.0
AT_ONCE = 8  # thumbnails fetched side by side
ABOUT_HIT = frozenset(field.name for field in fields(Hit))


def connect(url: str, index: str | None = None, *, token: str | None = None, seconds: float = SECONDS) -> RemoteIndex:
    """Connect to a server that `retrieval serve` started.

    Args:
        url: its address, such as http://127.0.0.1:8000.
        index: the name of one of its indexes; not needed where it has one.
        token: the server's token, if it asks for one.
        seconds: how long one request may take.

    Raises:
        QueryError: the address is no http URL, or the server has no such index.
        RetrievalError: the server cannot be reached, or refuses.
    """
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise QueryError(f"{url}: not the address of a server; give one such as http://127.0.0.1:8000")
    server = _Server(url.rstrip("/") + "/", token, seconds)
    served: list[dict[str, Any]] = server.get("api/indexes")
    names = [str(about["name"]) for about in served]
    if index is None and len(names) != 1:
        raise QueryError(f"{url}: serves {', '.join(names) or 'no index'}; name one: connect(url, index=...)")
    if index is not None and index not in names:
        raise QueryError(f"{index}: no such index at {url}; there are {', '.join(names) or 'none'}")
    name = index or names[0]
    return RemoteIndex(server, name, next(about for about in served if about["name"] == name))


class RemoteIndex:
    """An index behind a server: `search`, `search_many` and `figure` as those of a local `Index`."""

    def __init__(self, server: _Server, name: str, about: Mapping[str, Any]) -> None:
        self.name, self._server, self._about = name, server, about
        self._place = f"api/indexes/{quote(name, safe='')}/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open between two requests."""

    def __len__(self) -> int:
        """The number of figures when the connection was made."""
        return int(self._about["figures"])

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        about = self._about
        return (
            f"Index {self.name} at {self._server.url}: {about['figures']:,} figures, {about['images']:,} images, "
            f"{about['captions']:,} captions; encoder {about['encoder']}"
        )

    @property
    def images(self) -> int:
        """The number of images."""
        return int(self._about["images"])

    @property
    def captions(self) -> int:
        """The number of captions."""
        return int(self._about["captions"])

    @property
    def columns(self) -> dict[str, str]:
        """The columns that a where clause can name, with their types."""
        return dict(self._about["columns"])

    @property
    def encoder_name(self) -> str:
        """The name of the encoder that made the index."""
        return str(self._about["encoder"])

    def search(self, text: str | Query | None = None, *, thumbnails: bool = True, **options: Any) -> Answer:
        """The best hits for one query; arguments as of `Index.search`. Raises QueryError where it is refused.

        `thumbnails=False` leaves the pictures of the hits on the server.
        """
        if isinstance(text, Query):
            options, text = _parts(text) | options, None
        answer = self._server.post(self._place + "search", _question(text, options))
        return self._answer(answer, thumbnails)

    def search_many(
        self, queries: Query | Picture | Iterable[Query | Picture], *, thumbnails: bool = False, **options: Any
    ) -> Iterator[Answer]:
        """The answers to several queries in one request, in order."""
        asked = [_question(None, _parts(query)) for query in Query.each(queries)]
        body = {"queries": asked, **_wanted(options)}
        for answer in self._server.post(self._place + "search/batch", body)["answers"]:
            yield self._answer(answer, thumbnails)

    def figure(self, figure_id: str) -> Figure:
        """One figure by its id, with its thumbnail as `image`. Raises QueryError where there is no such figure."""
        about = self._server.get(f"{self._place}figure?{urlencode({'id': figure_id})}")
        return Figure(
            figure_id=about["figure_id"],
            image=self._server.picture(about.get("thumbnail")),
            captions=tuple(about["captions"]),
            uri=about["source_uri"] or "",
            article_id=about["article_id"],
            metadata=about["metadata"],
            extra={"width": about["width"], "height": about["height"]},
        )

    def _answer(self, answer: Mapping[str, Any], thumbnails: bool) -> Answer:
        told: list[dict[str, Any]] = answer["hits"]
        places = [hit.get("thumbnail") if thumbnails else None for hit in told]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            pictures = list(pool.map(self._server.picture, places))
        hits = [
            Hit(
                **{name: value for name, value in hit.items() if name in ABOUT_HIT}
                | {"captions": tuple(hit["captions"]), "thumbnail": picture}
            )
            for hit, picture in zip(told, pictures, strict=True)
        ]
        return Answer(hits, bool(answer.get("query_cut")))


class _Server:
    """Requests to one server; what it refuses becomes a RetrievalError with its own sentence."""

    def __init__(self, url: str, token: str | None, seconds: float) -> None:
        self.url, self._seconds = url, seconds
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, place: str) -> Any:
        return json.loads(self._read(Request(urljoin(self.url, place), headers=self._headers)))

    def post(self, place: str, body: Mapping[str, Any]) -> Any:
        headers = self._headers | {"Content-Type": "application/json"}
        data = json.dumps(body, default=_plain).encode()
        return json.loads(self._read(Request(urljoin(self.url, place), data=data, headers=headers, method="POST")))

    def picture(self, place: str | None) -> bytes | None:
        """The bytes of a thumbnail by its path on this server; None where there is none."""
        if not place:
            return None
        return self._read(Request(urljoin(self.url, place.lstrip("/")), headers=self._headers))

    def _read(self, request: Request) -> bytes:
        try:
            with urlopen(request, timeout=self._seconds) as response:
                data: bytes = response.read()
                return data
        except HTTPError as error:
            sentence = _sentence(error)
            raise (QueryError if error.code in (400, 404, 413, 422) else RetrievalError)(sentence) from None
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise RetrievalError(f"{self.url}: cannot be reached ({reason}); is `retrieval serve` running?") from None


def _sentence(error: HTTPError) -> str:
    try:
        told = json.loads(error.read())["error"]
    except (ValueError, KeyError, TypeError):
        told = f"the server answered {error.code} {error.reason}"
    return str(told)


def _parts(query: Query) -> dict[str, Any]:
    if query.combine is not None and not isinstance(query.combine, str):
        raise QueryError("a parsed sum cannot be sent; give combine as text")
    names = ("text", "image", "figure", "vector", "caption", "combine")
    return {name: value for name in names if (value := getattr(query, name)) is not None}


def _question(text: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of one query: pictures as base64, vectors as lists."""
    body = _wanted(options) | ({"text": text} if text is not None else {})
    if "caption" in body:
        raise QueryError("a server is not asked with a figure's caption; send its words as text")
    if "image" in body:
        body["image"] = base64.b64encode(_bytes_of(body["image"])).decode()
    if "vector" in body:
        body["vector"] = _numbers(body["vector"])
    return body


def _numbers(vector: Any) -> list[float]:
    try:
        return [float(number) for number in vector]
    except (TypeError, ValueError):
        raise QueryError(f"the query vector is a {type(vector).__name__}, not numbers") from None


def _plain(value: Any) -> Any:
    """A number of NumPy as Python's, for JSON. Raises QueryError for what JSON has no value for."""
    if hasattr(value, "item"):
        return value.item()
    raise QueryError(f"a {type(value).__name__} cannot be sent to a server; give text or numbers")


def _wanted(options: Mapping[str, Any]) -> dict[str, Any]:
    body = {name: value for name, value in options.items() if value is not None}
    if "where" in body:
        body["where"] = [_text_of(clause) for clause in as_clauses(body["where"])]
    return body


def _text_of(clause: str | Filter) -> str:
    if isinstance(clause, Filter) and not clause.is_text:
        raise FilterError(
            f"where {clause}: a server takes where clauses as text; write it as one, such as year >= 2018"
        )
    return str(clause)


def _bytes_of(image: Any) -> bytes:
    """The file's bytes of a path, bytes, PIL image or array. Raises QueryError where it is no picture."""
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, str | Path):
        try:
            return Path(image).read_bytes()
        except OSError as error:
            raise QueryError(f"{image}: cannot be read ({error.strerror}); give a JPEG, PNG or the like") from None
    file = io.BytesIO()
    open_picture(image).save(file, "PNG")
    return file.getvalue()
