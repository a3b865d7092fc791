"""How figures are read and encoded: written once for Python and the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from retrieval.errors import RetrievalError
from retrieval.keywords import as_tuple, refuse_impossible, whole_or_keywords

if TYPE_CHECKING:
    from retrieval.shards.plan import LongCaptions


class AddKeywords(TypedDict, total=False):
    """The fields of EncodeOptions that `add` takes, as keyword arguments; the others are those of the index."""

    trust_torchscript: bool
    device: str | None
    image_column: str | None
    caption_columns: str | Sequence[str]
    image_root: str | Path | None
    encoding: str | None
    id_prefix: str | None
    batch_size: int
    max_skips: float
    workers: int | None
    images_only: bool


class EncodeKeywords(AddKeywords, total=False):
    """The fields of EncodeOptions as keyword arguments."""

    resize: str | None
    precision: str
    exact_preprocessing: bool
    long_captions: LongCaptions
    mentions: bool
    panels: bool
    shard_size: int
    thumbnail: int
    max_pixels: int | None
    overwrite: bool


ADD_OPTIONS = tuple(AddKeywords.__annotations__)


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """How a source is read, how its figures are encoded, and what a shard of them holds."""

    resize: str | None = field(
        default=None,
        metadata={
            "help": "how a figure is fitted into the encoder's square (default: as the encoder was published)",
            "choices": ("crop", "pad", "squash"),
        },
    )
    precision: str = field(
        default="auto",
        metadata={
            "help": "numbers that the encoder computes in; auto is the fastest that loses nothing here",
            "choices": ("auto", "fp32", "bf16", "fp16"),
        },
    )
    trust_torchscript: bool = field(
        default=False,
        metadata={"help": "read a TorchScript archive, such as OpenAI's own .pt files; it may run code of its author"},
    )
    exact_preprocessing: bool = field(
        default=False,
        metadata={
            "help": "prepare images by the encoder's official transform, to the bit; otherwise nearly always within "
            "one grey level of it, in a third of the time"
        },
    )
    device: str | None = field(
        default=None,
        metadata={
            "help": "cpu, cuda, or several with commas between them, such as cuda:0,cuda:1 "
            "(default: every GPU, else the CPU)",
            "metavar": "NAMES",
        },
    )
    long_captions: LongCaptions = field(
        default="truncate",
        metadata={
            "help": "cut captions that are longer than the encoder reads, or read them in windows of whole sentences "
            "and average",
            "choices": ("truncate", "chunk"),
        },
    )
    image_column: str | None = field(
        default=None, metadata={"help": "column of a table that holds the image", "metavar": "NAME"}
    )
    caption_columns: tuple[str, ...] = field(
        default=(), metadata={"help": "column with a caption", "metavar": "NAME", "flag": "--caption-column"}
    )
    image_root: str | Path | None = field(
        default=None, metadata={"help": "folder that a table's image paths start from", "metavar": "FOLDER"}
    )
    encoding: str | None = field(
        default=None, metadata={"help": "encoding of a text table that is not UTF-8, such as cp1252", "metavar": "NAME"}
    )
    id_prefix: str | None = field(
        default=None, metadata={"help": "what every figure id begins with, such as shard-1/", "metavar": "PREFIX"}
    )
    mentions: bool = field(
        default=False,
        metadata={"help": "of JATS articles: keep the paragraphs that point to a figure with it"},
    )
    panels: bool = field(
        default=False,
        metadata={"help": "cut compound figures and their captions into panels too, for `retrieval search --panels`"},
    )
    shard_size: int = field(default=4096, metadata={"help": "figures a shard", "at_least": 1})
    batch_size: int = field(default=64, metadata={"help": "images a batch", "at_least": 1})
    thumbnail: int = field(
        default=192,
        metadata={"help": "longer side of the small pictures, 0 for none", "metavar": "PIXELS", "at_least": 0},
    )
    max_skips: float = field(
        default=0.05,
        metadata={"help": "share of the figures that may be unreadable", "metavar": "SHARE", "share": True},
    )
    max_pixels: int | None = field(default=None, metadata={"help": "larger images are skipped", "at_least": 1})
    workers: int | None = field(
        default=None, metadata={"help": "threads that decode images (default: cores)", "at_least": 1}
    )

    images_only: bool = field(
        default=False,
        metadata={"help": "images without any caption are meant, though something beside them could hold captions"},
    )
    overwrite: bool = field(
        default=False,
        metadata={"help": "begin again where INDEX holds another index, instead of going on or refusing"},
    )

    def __post_init__(self) -> None:
        refuse_impossible(self, RetrievalError)

    @classmethod
    def of(cls, options: EncodeOptions | None, keywords: EncodeKeywords | AddKeywords) -> EncodeOptions:
        """The options given whole or as keywords; a single caption column may be a str.

        Raises RetrievalError for a keyword that is not known or a value that cannot be.
        """
        given: dict[str, Any] = dict(keywords)
        if "caption_columns" in given:
            given["caption_columns"] = as_tuple(given["caption_columns"])
        return whole_or_keywords(cls, options, given, "encoding", RetrievalError)

    @classmethod
    def of_addition(cls, options: EncodeOptions | None, keywords: AddKeywords) -> EncodeOptions:
        """As `of`, for figures that are added. Raises RetrievalError also for a keyword that the index decides."""
        for name in keywords:
            if name not in ADD_OPTIONS and name in cls.__dataclass_fields__:
                raise RetrievalError(f"{name}: figures are added as those of the index were encoded; leave it out")
        return cls.of(options, keywords)

    @property
    def of_source(self) -> dict[str, Any]:
        """The options of `open_corpus` that a plan records."""
        recorded = {"image_column": self.image_column, "caption_columns": list(self.caption_columns)}
        # not stated otherwise: a plan of before there was the option is the same
        meant = {name: getattr(self, name) for name in ("mentions", "encoding", "images_only", "id_prefix")}
        return recorded | {name: value for name, value in meant.items() if value}
