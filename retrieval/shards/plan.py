"""The frozen plan of an encoding run and the sealed records of its shards, as JSON (docs/formats.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from retrieval.errors import EncoderError, ShardError
from retrieval.files import read_json, sha256_json, write_json
from retrieval.types import Corpus, Encoder, Split

FORMAT = 1
LongCaptions = Literal["truncate", "chunk"]
"""What becomes of a caption that is longer than the encoder reads: its end is cut off, or it is read in windows."""
BEFORE: Mapping[str, Any] = {
    "long_captions": "truncate",
    "precision": "fp32",
    "preprocessing": "exact",
    "windowed": 0,
    "repeated": {},
    "reused": {},
}
"""What plans and records meant that were written before a key existed; with these values it is no part of a digest."""
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
    long_captions: LongCaptions = "truncate"
    precision: str = "fp32"
    preprocessing: str = "exact"
    format: int = FORMAT

    @property
    def total(self) -> int:
        """The number of figures to read, those that will be skipped included."""
        return sum(split.stop - split.start for split in self.splits)

    @cached_property
    def digest(self) -> str:
        """Of all that decides the shards' content: not of where the source lies or what the encoder is called."""
        return sha256_json({k: v for k, v in _told(self).items() if k not in ("source", "encoder")})

    def write(self, folder: Path) -> None:
        write_json(folder / "plan.json", asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Plan:
        """Raises ShardError where there is no plan, or one of a newer format."""
        try:
            values = read_json(folder / "plan.json")
        except (FileNotFoundError, NotADirectoryError) as error:
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
    """What was encoded, sealed: written last, so that its existence says the shard is complete.

    `repeated` counts the images and captions that occurred before in the shard, and were not encoded again; `reused`
    those that the index held before, in a shard that was added to it.
    """

    number: int
    rows: Mapping[str, int]
    skips: Mapping[str, int]
    notes: Mapping[str, int]
    without_caption: int
    truncated: int
    sha256: Mapping[str, str]
    seconds: Mapping[str, float] = field(default_factory=dict)
    windowed: int = 0
    repeated: Mapping[str, int] = field(default_factory=dict)
    reused: Mapping[str, int] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def seal(self) -> dict[str, Any]:
        """What two runs over the same plan have in common: everything but the time they took."""
        return {key: value for key, value in _told(self).items() if key != "seconds"}


@dataclass(frozen=True)
class CaptionsRead:
    """How many captions an encoder could not read whole, of how many, and what became of them."""

    policy: LongCaptions
    captions: int
    truncated: int
    windowed: int

    @property
    def long(self) -> int:
        return self.truncated + self.windowed

    def __str__(self) -> str:
        outcome = {"truncate": "were cut", "chunk": "were read in windows"}[self.policy]
        share = self.long / max(1, self.captions)
        return f"{self.long} of {self.captions} captions ({share:.1%}) are longer than the encoder reads and {outcome}"


def captions_read(plan: Plan, records: Iterable[ShardRecord]) -> CaptionsRead:
    """Over all shards of a plan."""
    records = list(records)
    return CaptionsRead(
        plan.long_captions,
        captions=sum(record.rows["texts"] for record in records),
        truncated=sum(record.truncated for record in records),
        windowed=sum(record.windowed for record in records),
    )


def _told(values: Plan | ShardRecord) -> dict[str, Any]:
    return {key: value for key, value in asdict(values).items() if key not in BEFORE or value != BEFORE[key]}


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
    long_captions: LongCaptions,
) -> Plan:
    """The plan to encode all of a corpus. Raises EncoderError for an unknown way to read long captions.

    Columns whose names the shards use themselves, or that are no text that can be written, go to `extra`.
    """
    if long_captions not in get_args(LongCaptions):
        raise EncoderError(f"{long_captions}: no such way to read long captions; use truncate or chunk")
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
        long_captions=long_captions,
        precision=getattr(encoder, "precision", "fp32"),
        preprocessing=getattr(encoder, "preprocessing", "exact"),
    )


def can_be_written(text: str) -> bool:
    """Whether it is Unicode: JSON can name half a character, which no file of text can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
