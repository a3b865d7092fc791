"""How far a long run is: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from retrieval.types import Progress

SECONDS_BETWEEN_LINES = 10.0


def watcher(unit: str = "figures") -> Progress:
    return Bar(sys.stderr, unit) if sys.stderr.isatty() else Lines(sys.stderr, unit)


class Bar:
    """A bar with how many a second and the time left."""

    def __init__(self, stream: TextIO, unit: str = "figures") -> None:
        self._stream, self._unit = stream, unit

    def start(self, total: int, done: int) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            total=total, initial=done, unit=f" {self._unit}", file=self._stream, dynamic_ncols=True, smoothing=0.1
        )

    def advance(self, figures: int) -> None:
        self._bar.update(figures)

    def finish(self) -> None:
        self._bar.close()


class Lines:
    """One line every ten seconds, and one at the end."""

    def __init__(self, stream: TextIO, unit: str = "figures") -> None:
        self._stream, self._unit = stream, unit

    def start(self, total: int, done: int) -> None:
        self._total, self._done, self._at_start = total, done, done
        self._begun = self._said = time.monotonic()
        if done:
            self._say(f"{done} of {total} {self._unit} are there already")

    def advance(self, figures: int) -> None:
        self._done += figures
        if time.monotonic() - self._said >= SECONDS_BETWEEN_LINES:
            self._report()

    def finish(self) -> None:
        if self._done > self._at_start:
            self._report()

    def _report(self) -> None:
        self._said = time.monotonic()
        rate = (self._done - self._at_start) / max(1e-9, self._said - self._begun)
        left = (self._total - self._done) / max(1e-9, rate)
        ending = f", {left:.0f} s left" if self._done < self._total else ""
        self._say(f"{self._done} of {self._total} {self._unit}, {rate:.1f} a second{ending}")

    def _say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)
