r"""The language of where clauses: `year >= 2018 AND (licence IN ('CC-BY', 'CC0') OR NOT journal ~ radiology)`.

    condition = all { OR all }
    all       = one { AND one }
    one       = NOT one | "(" condition ")" | column test
    test      = ( "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=" | "~" | "!~" | [ NOT ] LIKE ) value
              | [ NOT ] IN ( list | "(" list ")" )  |  [ NOT ] BETWEEN value AND value
              | IS [ NOT ] ( NULL | MISSING | KNOWN )
    list      = value { "," value }
    column    = the longest known name that a test follows, or any name in `...` or "..."
    value     = '...' | "..." | text up to the end, an AND or OR before a condition, a bracket, a comma in a list

Words of the language may be written in any case. A quote inside quotes is doubled. `~` finds a part of a text and LIKE
a whole text by a pattern of % and _, both in any case of letters; all else compares values as they are written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NoReturn

from retrieval.errors import FilterError
from retrieval.shards.conditions import Clause, Condition, Joined, typed_value

SIGNS = "= != < <= > >= ~ !~ in, not in, like, between, is"
SIGN = r"\s*(?P<sign>==|!=|<>|!~|>=|<=|=|>|<|~)"
WORD = r"(?P<word>(?:not\s+)?(?:in(?=[\s(])|i?like(?=[\s'\"])|between(?=[\s'\"]))|is(?=\s))"
AFTER_NAME = re.compile(rf"{SIGN}|\s+{WORD}", re.I)
AFTER_QUOTE = re.compile(rf"{SIGN}|\s*{WORD}", re.I)
QUOTED = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"|`((?:[^`]|``)*)`")
SPACE = re.compile(r"\s*")
NOT = re.compile(r"not(?=[\s(`\"'])", re.I)
BEFORE_COLUMN = re.compile(r"(?:\s*(?:not(?=[\s(`\"'])|\())*\s*", re.I)
JOINING = re.compile(r"(and|or)(?=[\s(`\"'])", re.I)
STATE = re.compile(r"\s+(not\s+)?(null|missing|known)(?![^\s)])", re.I)
STOP = re.compile(r"[(),]|\s(and|or)(?=[\s(`\"'])", re.I)
STRANGER = re.compile(r"\s*([^\s=<>!~()'\"`]+)\s*(?:[=<>]|!=)")
CLAUSE_OF_NONE = re.compile(r"([^\s=<>!~][^=<>!~]*?)\s*(?:[=<>~]|!=|!~|\s(?:not\s+)?(?:in|is|like|between)\s)", re.I)
HALF_CHARACTER = re.compile("[\ud800-\udfff]")  # bytes of a command line that were no text
DEEPEST = 50  # brackets and NOTs inside each other
MOST = 256  # tests: each is a walk over all rows
LONGEST = 1_000_000  # characters; a list of ids may be long
SHOWN = 120  # characters of a clause in an error


def parse(text: str, columns: Mapping[str, str]) -> Condition:
    """Read a condition against the columns there are (name → string, int64, float64, bool or date).

    Raises FilterError, which names the place.
    """
    return _Parser(text, columns).read()


class _Parser:
    """One reading of one text; `_at` is the next character, `_depth` the brackets that are open."""

    def __init__(self, text: str, columns: Mapping[str, str]) -> None:
        self._text, self._columns, self._at, self._depth = text, columns, 0, 0
        self._nested = self._tests = 0
        self._names = sorted(columns, key=len, reverse=True)

    def read(self) -> Condition:
        if len(self._text) > LONGEST:
            self._refuse(f"has more than {LONGEST:,} characters; give ids in a file")
        if HALF_CHARACTER.search(self._text) or not self._text.strip():
            self._refuse(f"not understood; write column, one of {SIGNS}, and a value")
        found = self._joined("or")
        if self._at < len(self._text):
            self._refuse(f"{self._here()}: AND, OR or the end was expected; put a value in quotes, and double its own")
        return found

    def _joined(self, word: Literal["and", "or"]) -> Condition:
        parts = [self._joined("and") if word == "or" else self._one()]
        while (found := JOINING.match(self._text, self._skip())) and found[1].lower() == word:
            self._at = found.end()
            parts.append(self._joined("and") if word == "or" else self._one())
        return parts[0] if len(parts) == 1 else Joined(word, tuple(parts))

    def _one(self) -> Condition:
        start = self._skip()
        column = self._column(start)
        if column is not None:
            return self._clause(*column)
        self._nested += 1
        if self._nested > DEEPEST:
            self._refuse(f"more than {DEEPEST} brackets and NOTs inside each other; ask in several clauses")
        if found := NOT.match(self._text, start):
            self._at = found.end()
            condition: Condition = Joined("not", (self._one(),))
        elif self._text.startswith("(", start):
            self._at, self._depth = start + 1, self._depth + 1
            condition = self._joined("or")
            if not self._text.startswith(")", self._skip()):
                self._refuse(f"the bracket at character {start + 1} is not closed; close it with )")
            self._at, self._depth = self._at + 1, self._depth - 1
            self._skip()
        else:
            self._refuse_column(start)
        self._nested -= 1
        return condition

    def _column(self, start: int) -> tuple[str, str, int] | None:
        """The column that a clause begins with, its operator, and where its value begins; None where none does."""
        for name in self._names:
            if self._text.startswith(name, start) and (found := AFTER_NAME.match(self._text, start + len(name))):
                return name, _operator(found), found.end()
        if (quoted := QUOTED.match(self._text, start)) and (found := AFTER_QUOTE.match(self._text, quoted.end())):
            return _unquoted(quoted), _operator(found), found.end()
        return None

    def _clause(self, column: str, sign: str, start: int) -> Condition:
        if column not in self._columns:
            self._refuse(f"no column {column}; there are {', '.join(sorted(self._columns))}")
        self._tests += 1
        if self._tests > MOST:
            self._refuse(f"has more than {MOST} tests; several values of one column are asked as {column} IN (a, b)")
        kind, self._at = self._columns[column], start
        if sign == "is":
            return self._state(column)
        if sign in ("in", "not in"):
            return Clause(column, sign, tuple(self._typed(value, column, kind) for value in self._list()))
        if sign.startswith("not "):
            return Joined("not", (self._clause(column, sign.removeprefix("not "), start),))
        if sign == "between":
            least = Clause(column, ">=", self._typed(self._value(between=True), column, kind, ordered=True))
            if not (found := JOINING.match(self._text, self._skip())) or found[1].lower() != "and":
                self._refuse(f"{self._here()}: BETWEEN takes two values, as in {column} BETWEEN 2 AND 5")
            self._at = found.end()
            most = Clause(column, "<=", self._typed(self._value(), column, kind, ordered=True))
            return Joined("and", (least, most))
        value = self._value(anything=sign in ("~", "!~"))
        if sign in ("~", "!~", "like"):
            if kind not in ("string", "date"):
                self._refuse(f"{sign} looks inside text, and {column} is {kind}; use = < > instead")
            return Clause(column, sign, value)
        return Clause(column, sign, self._typed(value, column, kind, ordered=sign[0] in "<>"))

    def _state(self, column: str) -> Clause:
        found = STATE.match(self._text, self._at)
        if not found:
            value = self._value()
            self._refuse(f"a column is missing or is known, not {value!r}; use = for a value")
        self._at = found.end()
        return Clause(column, "is", (found[2].lower() == "known") != bool(found[1]))

    def _list(self) -> list[str]:
        start = self._skip()
        if self._text.startswith("(", start):
            self._at = start + 1
            values = self._values(bracket=True)
            if not self._text.startswith(")", self._skip()):
                self._refuse(f"the bracket at character {start + 1} is not closed; close it with )")
            if values == [""]:
                self._refuse("the list is empty; write its values as in IN (a, b)")
            self._at += 1
            if self._ends(self._skip()):
                return values
            self._at = start  # as in `name in (a) b,c`: the bracket is part of a value
        return self._values(bracket=False)

    def _values(self, bracket: bool) -> list[str]:
        values = [self._value(among=True, bracket=bracket)]
        while self._text.startswith(",", self._at):
            self._at += 1
            values.append(self._value(among=True, bracket=bracket))
        return values

    def _value(
        self, *, among: bool = False, bracket: bool = False, between: bool = False, anything: bool = False
    ) -> str:
        """The next value, as text; `among` others in a list, `anything` where words may look like a condition."""
        start = self._skip()
        if self._text[start : start + 1] in ("'", '"'):
            quoted = QUOTED.match(self._text, start)
            if not quoted:
                self._refuse(f"{self._here()}: the quote is not closed; close it, or double it inside other quotes")
            self._at = quoted.end()
            self._skip()
            return _unquoted(quoted)
        level, self._at = 0, len(self._text)
        for found in STOP.finditer(self._text, start):
            mark, word = found[0], found[1]
            if mark == "(":
                level += 1
            elif mark == ")" and level:
                level -= 1
            elif (
                (mark == ")" and (bracket or self._depth))
                or (mark == "," and among)
                or (word and ((between and word.lower() == "and") or self._follows(found.end(), anything)))
            ):
                self._at = found.start()
                break
        return self._text[start : self._at].strip()

    def _follows(self, start: int, anything: bool = False) -> bool:
        """Whether a condition follows; one about a column that is not there, too, but not where `anything` is text."""
        first = SPACE.match(self._text, start).end()  # type: ignore[union-attr]
        behind = BEFORE_COLUMN.match(self._text, start).end()  # type: ignore[union-attr]
        if self._column(first) or self._column(behind):
            return True
        return not anything and STRANGER.match(self._text, behind) is not None

    def _ends(self, at: int) -> bool:
        """Whether a clause may end here."""
        joining = JOINING.match(self._text, at)
        return at == len(self._text) or (self._depth > 0 and self._text[at] == ")") or bool(joining)

    def _skip(self) -> int:
        self._at = SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
        return self._at

    def _typed(self, value: str, column: str, kind: str, *, ordered: bool = False) -> Any:
        try:
            return typed_value(value, kind, ordered=ordered)
        except (ValueError, KeyError):
            way = "; write it as 2018, 2018-03 or 2018-03-01" if kind == "date" else ""
            self._refuse(f"{_short(value)!r} is not a value of column {column}, which is {kind}{way}")

    def _refuse_column(self, start: int) -> NoReturn:
        found = CLAUSE_OF_NONE.match(self._text, start)
        if found:
            self._refuse(f"no column {found[1]}; there are {', '.join(sorted(self._columns))}")
        place = f"{self._here()}: " if start else ""
        self._refuse(f"{place}not understood; write column, one of {SIGNS}, and a value")

    def _here(self) -> str:
        rest = self._text[self._at : self._at + 20]
        return f"at {rest!r} (character {self._at + 1})" if rest else "at the end"

    def _refuse(self, why: str) -> NoReturn:
        raise FilterError(f"where {_short(self._text)!r}: {' '.join(why.split())}")


def _operator(found: re.Match[str]) -> str:
    sign = " ".join((found["sign"] or found["word"]).lower().split())
    return {"<>": "!=", "ilike": "like", "not ilike": "not like"}.get(sign, sign)


def _unquoted(found: re.Match[str]) -> str:
    quote = found[0][0]
    return found[0][1:-1].replace(2 * quote, quote)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
