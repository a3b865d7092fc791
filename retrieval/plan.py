"""What will be encoded and what was: the frozen plan and the sealed records, as JSON (docs/formats.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from retrieval.errors import ShardError
from retrieval.files import read_json, sha256_json, write_json
from retrieval.types import Corpus, Encoder, Split

FORMAT = 1
WHERE_FROM = ("figure_id", "article_id", "source_uri")
OWN_COLUMNS = frozenset(
    [*WHERE_FROM, "sha256", "width", "height", "thumbnail", "caption", "truncated", "embedding", "extra"]
)


@dataclass(frozen=True)
class Plan:
    """What will be encoded, frozen at the first run. `resize` None means the encoder's own transform."""

    source: str
    kind: str
    options: Mapping[str, Any]
    corpus_fingerprint: str
    columns: Mapping[str, str]
    encoder: str
    encoder_fingerprint: str
    dim: int
    resize: str | None
    thumbnail: int
    max_pixels: int
    shard_size: int
    splits: tuple[Split, ...]
    format: int = FORMAT

    @property
    def total(self) -> int:
        """The number of figures to read, those that will be skipped included."""
        return sum(split.stop - split.start for split in self.splits)

    @cached_property
    def digest(self) -> str:
        """Of all that decides the shards' content: not of where the source lies or what the encoder is called."""
        return sha256_json({k: v for k, v in asdict(self).items() if k not in ("source", "encoder")})

    def write(self, folder: Path) -> None:
        write_json(folder / "plan.json", asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Plan:
        """Raises ShardError where there is no plan, or one of a newer format."""
        try:
            values = read_json(folder / "plan.json")
        except FileNotFoundError as error:
            raise ShardError(
                f"{folder}: not an index (no plan.json); make one with: retrieval index SOURCE {folder}"
            ) from error
        except (OSError, ValueError) as error:
            raise ShardError(f"{folder / 'plan.json'}: cannot be read as JSON; encode into a new folder") from error
        refuse_newer(folder / "plan.json", values)
        try:
            return cls(**values | {"splits": tuple(Split(**split) for split in values["splits"])})
        except (KeyError, TypeError) as error:
            raise ShardError(f"{folder / 'plan.json'}: not a plan; encode into a new folder") from error


@dataclass(frozen=True)
class ShardRecord:
    """What was encoded, sealed: written last, so that its existence says the shard is complete."""

    number: int
    rows: Mapping[str, int]
    skips: Mapping[str, int]
    notes: Mapping[str, int]
    without_caption: int
    truncated: int
    sha256: Mapping[str, str]
    seconds: Mapping[str, float] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def seal(self) -> dict[str, Any]:
        """What two runs over the same plan have in common: everything but the time they took."""
        return {key: value for key, value in asdict(self).items() if key != "seconds"}


def refuse_newer(path: Path, values: Any) -> None:
    """Raises ShardError where a JSON file says that it was written in a format that came after this one."""
    written = values.get("format") if isinstance(values, dict) else None
    if isinstance(written, int) and written > FORMAT:
        raise ShardError(f"{path}: written by a newer version of retrieval (format {written}); upgrade to read it")


def make_plan(
    corpus: Corpus,
    encoder: Encoder,
    *,
    source: str,
    options: Mapping[str, Any],
    resize: str | None,
    thumbnail: int,
    max_pixels: int,
    shard_size: int,
) -> Plan:
    """The plan to encode all of a corpus.

    Columns whose names the shards use themselves, or that are no text that can be written, go to `extra`.
    """
    return Plan(
        source=source,
        kind=corpus.kind,
        options=options,
        corpus_fingerprint=corpus.fingerprint,
        columns={n: kind for n, kind in corpus.columns.items() if n not in OWN_COLUMNS and can_be_written(n)},
        encoder=encoder.name,
        encoder_fingerprint=encoder.fingerprint,
        dim=encoder.dim,
        resize=resize,
        thumbnail=thumbnail,
        max_pixels=max_pixels,
        shard_size=shard_size,
        splits=tuple(corpus.split(shard_size)),
    )


def can_be_written(text: str) -> bool:
    """Whether it is Unicode: JSON can name half a character, which no file of text can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
