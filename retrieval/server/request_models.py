"""Requests, read strictly: JSON, a query string or a form becomes a PreparedQuery and SearchOptions."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, FailFast, Field
from pydantic_core import PydanticCustomError

from retrieval.encoders.captions import encode_captions
from retrieval.errors import QueryError
from retrieval.images.decode import decode
from retrieval.images.image_bytes import UnreadableImage
from retrieval.search.expression import Term, parse_terms
from retrieval.search.query import Query
from retrieval.search.search_options import Mode, SearchOptions, help_of
from retrieval.server.problems import MIB, Limits, Refused
from retrieval.server.served_index import OpenIndex
from retrieval.shards.plan import LongCaptions
from retrieval.types import MODALITY_OF, Encoder, Modality, Pixels

TEXTS_AT_ONCE = 128  # a batch of questions may have several texts each
MOST_NUMBERS = 1 << 16
"""No encoder has as many dimensions: a longer vector is refused before its numbers are read one by one."""
SPACES = re.compile(r"\s{100}")
"""More than anybody writes, and what reading a clause or an expression takes grows by their square."""


def _whole(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise PydanticCustomError("half_character", "holds half a character, which no text has")
    return text


def _dense(text: str) -> str:
    if SPACES.search(text):
        raise PydanticCustomError("spaces", "holds 100 spaces in a row, which say nothing")
    return text


def _modality(word: Any) -> Any:
    """Plurals and "captions" are understood too."""
    return MODALITY_OF.get(word, word) if isinstance(word, str) else word


def _several(clauses: Any) -> Any:
    """A single clause as a list of it."""
    return [clauses] if isinstance(clauses, str) else clauses


def _bounded(vector: Any) -> Any:
    if isinstance(vector, list) and len(vector) > MOST_NUMBERS:
        raise PydanticCustomError("too_long", "holds more numbers than any encoder's vectors")
    return vector


Text = Annotated[str, AfterValidator(_whole)]
Clause = Annotated[Text, AfterValidator(_dense)]


class Strict(BaseModel):
    """A request in which a field that nobody knows is an error rather than ignored."""

    model_config = ConfigDict(extra="forbid")


def _help(name: str) -> str:
    return help_of(SearchOptions, name)


class Wanted(Strict):
    """How the answers should be."""

    target: Annotated[
        Modality | None,
        BeforeValidator(_modality),
        Field(description=_help("target")),
    ] = None
    k: Annotated[int, Field(ge=1, description=_help("k"))] = 20
    where: Annotated[
        list[Clause],
        FailFast(),
        BeforeValidator(_several),
        Field(description=_help("where")),
    ] = []
    mode: Annotated[Mode, Field(description=_help("mode"))] = "dense"
    per_article: Annotated[int | None, Field(ge=1, description=_help("per_article"))] = None
    unique: Annotated[bool, Field(description=_help("unique"))] = False
    per_figure: Annotated[bool, Field(description=_help("per_figure"))] = False
    min_percentile: Annotated[float | None, Field(ge=0, le=100, description=_help("min_percentile"))] = None
    panels: Annotated[bool, Field(description=_help("panels"))] = False


class Linked(Wanted):
    """A question that fits into a link: exactly one of text, figure and combine."""

    text: Annotated[Text | None, Field(description="words")] = None
    figure: Annotated[Text | None, Field(description="the id of a figure of the index")] = None
    combine: Annotated[
        Clause | None, Field(description='terms with weights: 2 * "axial CT" + figure:F12 - "MRI"; images by name')
    ] = None


class QueryRequest(Linked):
    """Exactly one of text, figure, vector, image and combine."""

    vector: Annotated[
        list[float] | None, BeforeValidator(_bounded), Field(description="numbers, as many as the index's dim")
    ] = None
    image: Annotated[str | None, Field(description="the bytes of an image file, in base64")] = None
    images: Annotated[dict[str, str], Field(description="by name what combine calls so, as image")] = {}


class Batch(Wanted):
    """Several questions. What stands beside `queries` holds for those of them that do not say it themselves."""

    queries: Annotated[list[QueryRequest], FailFast(), Field(min_length=1)]

    def questions(self) -> list[QueryRequest]:
        shared = {name: getattr(self, name) for name in Wanted.model_fields if name in self.model_fields_set}
        return [QueryRequest(**(shared | one.model_dump(exclude_unset=True))) for one in self.queries]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedQuery:
    """One question: its terms, and for each the pixels if it is an image, else None."""

    terms: tuple[Term, ...]
    pixels: tuple[Pixels | None, ...]

    def query(self, encoder: Encoder) -> Query:
        """The question with vectors in place of images."""
        return Query(
            combine=[
                term if pixels is None else Term(term.weight, vector=encoder.encode_images(pixels[None])[0])
                for term, pixels in zip(self.terms, self.pixels, strict=True)
            ]
        )


def encode_ahead(encoder: Encoder, asked: Sequence[tuple[PreparedQuery, LongCaptions]]) -> None:
    """Have an encoder that remembers encode all that some questions need, at once: texts as their index reads them."""
    for long_captions in ("truncate", "chunk"):
        texts = [term.text for one, how in asked if how == long_captions for term in one.terms if term.text is not None]
        if texts:
            encode_captions(encoder, texts, in_windows=long_captions == "chunk", batch_size=TEXTS_AT_ONCE)
    pixels = [image for one, _ in asked for image in one.pixels if image is not None]
    if pixels:
        encoder.encode_images(np.stack(pixels))


def read_query(
    question: QueryRequest, index: OpenIndex, encoder: Encoder, limits: Limits, files: Mapping[str, bytes] | None = None
) -> tuple[PreparedQuery, SearchOptions]:
    """A question with its images decoded and prepared: slow, so not for the event loop's thread.

    `files` came beside the question: `image`, and what `combine` calls by name. No path is ever opened.
    Raises QueryError or, where it is more than this server takes, Refused.
    """
    images = {name: from_base64(text, name) for name, text in question.images.items()} | dict(files or {})
    alone = images.pop("image", None) if question.combine is None else None
    if question.image is not None:
        alone = from_base64(question.image, "image")
    terms = _terms(question, alone, images, limits)
    options = _options(question, index, limits, "image" if alone is None else "text")
    pixels = [prepared(term.image, encoder, limits) if isinstance(term.image, bytes) else None for term in terms]
    return PreparedQuery(terms, tuple(pixels)), options


def _terms(
    question: QueryRequest, alone: bytes | None, images: Mapping[str, bytes], limits: Limits
) -> tuple[Term, ...]:
    parts = {name: getattr(question, name) for name in ("text", "figure", "vector", "combine")} | {"image": alone}
    given = [name for name, value in parts.items() if value is not None]
    if len(given) != 1:
        raise QueryError(f"a query is one of {', '.join(parts)}, not {' and '.join(given) or 'nothing'}")
    if any(len(parts[name] or "") > limits.text for name in ("text", "figure", "combine")):
        raise Refused(413, f"{given[0]} is longer than {limits.text} characters; shorten it")
    if question.combine is None and images:
        raise QueryError(f"{next(iter(images))}: no combine names this image; send it as image to ask with it alone")
    if question.combine is not None:
        terms = parse_terms(question.combine, images=images, open_files=False)
        if len(terms) > limits.terms:
            raise Refused(413, f"combine has {len(terms)} terms; this server takes at most {limits.terms}")
        return terms
    if question.vector is not None:
        return (Term(vector=np.array(question.vector, dtype=np.float32)),)
    return (Term(text=question.text, figure=question.figure, image=alone),)


def _options(wanted: Wanted, index: OpenIndex, limits: Limits, usual: Modality) -> SearchOptions:
    k = wanted.k if "k" in wanted.model_fields_set else min(wanted.k, limits.k)
    if k > limits.k:
        raise Refused(400, f"k is {k}; this server gives at most {limits.k} hits a query")
    if len(wanted.where) > limits.terms or sum(map(len, wanted.where)) > limits.text:
        raise Refused(
            413, f"more than {limits.terms} where clauses or {limits.text} characters of them; leave some out"
        )
    if wanted.mode not in index.modes:
        raise QueryError(f"{index.name}: has no words of captions to ask in mode {wanted.mode}; ask in mode dense")
    return SearchOptions(
        target=index.target(wanted.target, usual),
        k=k,
        where=tuple(wanted.where),
        mode=wanted.mode,
        per_article=wanted.per_article,
        unique=wanted.unique,
        per_figure=wanted.per_figure,
        min_percentile=wanted.min_percentile,
        panels=wanted.panels,
    )


def prepared(data: bytes, encoder: Encoder, limits: Limits) -> Pixels:
    """An image file as the encoder wants it. Raises QueryError or Refused."""
    if len(data) > limits.upload:
        raise Refused(413, f"the query image is larger than {limits.upload / MIB:.0f} MiB; make it smaller")
    if not encoder.reads_images:
        raise QueryError(f"{encoder.name}: reads captions only; ask with words, or with a figure of the index")
    try:
        return encoder.prepare(decode(data, limits.pixels))
    except UnreadableImage as error:
        raise QueryError(f"the query image: {error.reason}; give a JPEG, PNG, TIFF, GIF, BMP or WebP file") from error


def from_base64(text: str, name: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise QueryError(f"{name} is not base64; give an image file's bytes so, not a path or a link") from None
