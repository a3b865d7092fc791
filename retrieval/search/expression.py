"""Questions of several parts: `2 * "axial CT" + image.png - "MRI"` as a list of weighted terms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from retrieval.corpora.naming import IMAGE_SUFFIXES
from retrieval.errors import QueryError
from retrieval.images.pictures import Picture

PARTS = ("text", "image", "figure", "caption", "vector")

_SPACE = re.compile(r"\s*")
_WEIGHT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*\*\s*")
_NAMED = re.compile(r"(image|figure|caption):")
_SIGN = re.compile(r"\s+([+-])\s+")
_SIGN_FIRST = re.compile(r"([+-])\s*")
_SIGN_LAST = re.compile(r"\s[+-]\s*$")


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One part of a question and how much it weighs; a negative weight leads away from it.

    Exactly one of: `text`; `image`, a path, the bytes of a file, a PIL image or an array; `figure`, the id of a figure
    of the index; `caption`, the id of a figure whose first caption asks; `vector` (dim,).
    """

    weight: float = 1.0
    text: str | None = None
    image: Picture | None = None
    figure: str | None = None
    caption: str | None = None
    vector: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        given = [name for name in PARTS if getattr(self, name) is not None]
        if len(given) != 1:
            raise QueryError(f"a term is one of {', '.join(PARTS)}, not {' and '.join(given) or 'nothing'}")
        if self.text is not None and not self.text.strip():
            raise QueryError("the query text is empty; write what the figure should show")
        if not np.isfinite(self.weight):
            raise QueryError(f"a weight of {self.weight} is no number to multiply with; give a finite one")

    @property
    def named(self) -> str | None:
        """The id of the figure of the index that this term names, if it does."""
        return self.caption if self.figure is None else self.figure


def parse_terms(
    expression: str, *, images: Mapping[str, bytes] | None = None, open_files: bool = True
) -> tuple[Term, ...]:
    """Read an expression.

        expression = [sign] term {sign term}       a sign is + or - with white space on both sides, or comes first
        term       = [number *] operand            a number may also stand first inside the quotes
        operand    = "text" | 'text' | bare words | name.png | image:name | figure:id | caption:id

    A name or id with white space is quoted: `figure:"fig 1"`. Bare words are text, unless they are the name of an image
    file. Images are those that `images` holds by name, and with `open_files` files. Raises QueryError with the column,
    from 1, and what was expected there.
    """
    return _Reader(expression, images or {}, open_files).terms()


class _Reader:
    """A place in an expression that moves on as terms are read."""

    def __init__(self, expression: str, images: Mapping[str, bytes], open_files: bool) -> None:
        self._text, self._at = expression, 0
        self._images, self._open_files = images, open_files

    def terms(self) -> tuple[Term, ...]:
        self._match(_SPACE)
        first = self._match(_SIGN_FIRST)
        found = [self._term(_signed(first))]
        while self._text[self._at :].strip():
            sign = self._match(_SIGN)
            if sign is None:
                self._refuse("expected + or - with white space on both sides")
            found.append(self._term(_signed(sign)))
        return tuple(found)

    def _term(self, weight: float) -> Term:
        number = self._match(_WEIGHT)
        if number is not None:
            weight *= float(number[1])
        named = self._match(_NAMED)
        begin = self._at
        quoted = self._quoted() if self._text.startswith(('"', "'"), begin) else None
        value = self._bare() if quoted is None else quoted
        if not value.strip() or (quoted is None and _SIGN_FIRST.match(value) and value[1:2].isspace()):
            self._at = begin
            self._refuse("expected a text, an image, figure:id or caption:id")
        if named is not None:
            match named[1]:
                case "image":
                    return self._image(value, begin, weight)
                case "figure":
                    return Term(weight, figure=value)
            return Term(weight, caption=value)
        if quoted is not None:
            inside = None if number else _WEIGHT.match(quoted.lstrip())
            if inside is None:
                return Term(weight, text=quoted)
            rest = quoted.lstrip()[inside.end() :]
            if not rest.strip():
                self._refuse("expected a text behind the weight")
            return Term(weight * float(inside[1]), text=rest)
        if Path(value).suffix.lower() in IMAGE_SUFFIXES and (" " not in value or self._known(value)):
            return self._image(value, begin, weight)
        return Term(weight, text=value)

    def _quoted(self) -> str:
        mark = self._text[self._at]
        end = self._text.find(mark, self._at + 1)
        if end < 0:
            self._refuse(f"the text that begins with {mark} has no closing {mark}")
        value, self._at = self._text[self._at + 1 : end], end + 1
        return value

    def _bare(self) -> str:
        sign = _SIGN.search(self._text, self._at)
        end = len(self._text) if sign is None else sign.start()
        value = self._text[self._at : end]
        if sign is None and (dangling := _SIGN_LAST.search(value)):
            self._at += dangling.end()
            self._refuse("expected a term after the sign")
        if '"' in value:
            self._at += value.index('"')
            self._refuse("expected + or - before a quoted text")
        self._at = end
        return value.strip()

    def _known(self, name: str) -> bool:
        try:
            return name in self._images or (self._open_files and Path(name).is_file())
        except (OSError, ValueError):  # longer than a name can be, or with a null character
            return False

    def _image(self, name: str, begin: int, weight: float) -> Term:
        if name in self._images:
            return Term(weight, image=self._images[name])
        if not self._known(name):
            self._at = begin
            there = "no such file" if self._open_files else "no image of that name was given"
            self._refuse(f"{name}: {there}; quote it if it is meant as text")
        return Term(weight, image=Path(name))

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def _refuse(self, problem: str) -> NoReturn:
        raise QueryError(f"combine {self._text!r}: column {self._at + 1}: {problem}")


def _signed(sign: re.Match[str] | None) -> float:
    return -1.0 if sign is not None and sign[1] == "-" else 1.0
