"""The values that cross modules, and the contracts of the parts: corpus, encoder, index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:  # not at run time: the command line reads these types before it knows whether numpy is needed
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    Vectors = NDArray[np.float32]
    """(n, dim), each row of length 1."""
    Pixels = NDArray[np.float32]
    """(3, height, width) as an encoder's `prepare` returns it, or a batch (n, 3, height, width) of them."""

Scalar = str | int | float | bool | None
"""One metadata value."""
Modality = Literal["image", "text"]
"""What a row is, what a query is and what is looked for; a shard's tables are named by its plural."""
MODALITIES: tuple[Modality, ...] = ("image", "text")
MODALITY_OF: dict[str, Modality] = {
    "image": "image",
    "images": "image",
    "figures": "image",
    "text": "text",
    "texts": "text",
    "captions": "text",
    "caption": "text",
}
"""The modality by each word that a user may type for it."""
OTHER: dict[Modality, Modality] = {"image": "text", "text": "image"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One image with its captions and metadata, as a corpus found it.

    `image` holds the encoded file, byte for byte (None: a figure of captions only). `captions` are unaltered; an empty
    string says that the source has a caption there and it is blank. `uri` tells a person where the figure was found,
    relative to the source. `metadata` has values for the corpus' declared `columns`, `extra` whatever else it says.
    """

    figure_id: str
    image: bytes | None
    captions: tuple[str, ...]
    uri: str
    article_id: str | None = None
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skip:
    """A figure left out, with the reason in a few fixed words (reasons are counted, so no names or numbers in them)."""

    figure_id: str
    uri: str
    reason: str


@dataclass(frozen=True, slots=True)
class Account:
    """What became of every file that a corpus saw below its source. It balances: `files` = those `read` + `unread`.

    `read` counts files by what they were taken for: image, sidecar, table, archive, article, listing. An `unread` file
    is a Skip without an id: its path relative to the source, and in a few fixed words why nothing was taken from it.
    Rows, members and articles inside a file that was read are not files: what is left out of them is a Skip of `read`.
    `inside` is the same account of the members of archives, where some were read: `shard.tar/notes.md`. `notes` say in
    sentences what was decided by looking, and can be decided otherwise.
    """

    files: int = 0
    read: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[Skip, ...] = ()
    inside: Account | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line that balances: 412 files: 380 images, 30 sidecars, 2 not read: a.heic (...), notes.docx (...)."""
        within = f"; inside of archives {self.inside._told('member')}" if self.inside is not None else ""
        return self._told("file") + within

    def _told(self, noun: str) -> str:
        told = [counted(count, role) for role, count in self.read.items() if count]
        if self.unread:
            told.append(f"{len(self.unread)} not read: {name_first(self.unread, len(self.unread))}")
        return f"{counted(self.files, noun)}: {', '.join(told)}"


NAMED = 3
"""Files and figures left out that a summary or a refusal names; `retrieval info INDEX --skips` lists all."""


def name_first(skips: Iterable[Skip], total: int = 0) -> str:
    """The first few of `total` by path and reason, to end a sentence: a.png (image is empty), ... and 4 more."""
    first = list(islice(skips, NAMED))
    told = ", ".join(f"{skip.uri or skip.figure_id} ({skip.reason})" for skip in first)
    left = total - len(first)
    return f"{told} and {left} more" if left > 0 else told


def counted(count: int, noun: str) -> str:
    """A number and its noun: 1 file, 2 files."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


@dataclass(frozen=True, slots=True)
class Split:
    """A piece of a corpus to read: its figures `start` to `stop`, of the file `source` where the corpus has several."""

    number: int
    start: int
    stop: int
    source: str = ""


class Corpus(Protocol):
    """A source of figures.

    `split` and `read` always give the same cut in the same order, on every machine and in every process. Reading all
    splits yields every figure once, as a Figure or, where it cannot be read, as a Skip with the reason: exactly
    `stop - start` items for each split. Figure ids are unique in a corpus.
    """

    @property
    def kind(self) -> str:
        """folder, table, imagefolder, webdataset, jats, or the name of a published layout (docs/corpora.md)."""

    @property
    def columns(self) -> Mapping[str, str]:
        """The declared metadata: name → string | int64 | float64 | bool | date. Figures' `metadata` fit it; a date is
        the text of ISO 8601."""

    @property
    def fingerprint(self) -> str:
        """A hex digest of what the source lists (names, sizes, options that change what is read), not its location."""

    def split(self, size: int) -> list[Split]:
        """Cut the corpus into splits of at most `size` figures, numbered from 0."""

    def read(self, split: Split) -> Iterator[Figure | Skip]:
        """The figures of one split, in order."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Captions as an encoder reads them: ids (n, context), true lengths (n,), and which were cut short (n,)."""

    ids: NDArray[np.int64]
    lengths: NDArray[np.int64]
    truncated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.int64] | slice) -> Tokens:
        return Tokens(self.ids[rows], self.lengths[rows], self.truncated[rows])


class Encoder(Protocol):
    """Turns images and texts into vectors of one space. In eval mode, deterministic, rows normalised in float32."""

    @property
    def name(self) -> str:
        """What `load_encoder` was asked for."""

    @property
    def dim(self) -> int:
        """The length of a vector."""

    @property
    def fingerprint(self) -> str:
        """A hex digest of weights, configuration, tokenizer and preprocessing."""

    @property
    def reads_images(self) -> bool:
        """Whether it has an image tower. Without one, `prepare` and `encode_images` raise EncoderError."""

    def prepare(self, image: Image) -> Pixels:
        """An RGB image as the model wants it. Thread-safe."""

    def encode_images(self, images: Pixels | Any, /) -> Vectors:
        """(n, 3, height, width) as `prepare` made them to (n, dim). Those of this package also take pictures: paths,
        bytes, PIL images, arrays, one or a list."""

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Texts as the model reads them."""

    def encode_texts(self, texts: Tokens | Any, /) -> Vectors:
        """n tokenized texts to (n, dim). Any order and batch gives the same vectors to float32 rounding. Those of this
        package also take a str or a list of them."""


@dataclass(frozen=True, slots=True)
class Hits:
    """What an index answers: rows (queries, k) and their cosines, best first, ties by row; row -1 where none is."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


class VectorIndex(Protocol):
    """Finds the nearest rows. Exact indexes agree with a full sort; approximate ones re-rank candidates exactly."""

    def __len__(self) -> int: ...

    def search(self, queries: Vectors, k: int, keep: NDArray[np.int64] | None = None) -> Hits:
        """The k nearest rows of each query (queries, dim); only among the rows `keep` (sorted) where it is given.

        Scores are float32 cosines. With fewer than k rows to choose from, the rest is row -1 and score -inf.
        """


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer: a figure, and for a caption hit the caption that matched; `rank` from 1.

    `score` is a cosine; in mode lexical a BM25 score, in mode hybrid the fused one, 1 for what is first in both.
    `percentile`, 0 to 100, is the share of a sample of the index that has a lesser cosine to this query; None where no
    cosine was asked for. `panel` names the panel of the figure that was found rather than the whole of it.
    """

    figure_id: str
    caption: str
    score: float
    rank: int
    modality: Modality
    captions: tuple[str, ...] = ()
    article_id: str | None = None
    source_uri: str = ""
    width: int | None = None
    height: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    thumbnail: bytes | None = field(default=None, repr=False)
    percentile: float | None = None
    panel: str | None = None


class Progress(Protocol):
    """Whoever wants to know how a long run goes."""

    def start(self, total: int, done: int) -> None:
        """A run over `total` figures begins, `done` of them are there from before."""

    def advance(self, figures: int) -> None:
        """So many more are done."""

    def finish(self) -> None:
        """The run ended, one way or another."""


class Silent:
    """The Progress that says nothing."""

    def start(self, total: int, done: int) -> None: ...

    def advance(self, figures: int) -> None: ...

    def finish(self) -> None: ...


def __getattr__(name: str) -> Any:
    """Vectors and Pixels at run time."""
    if name not in ("Vectors", "Pixels"):
        raise AttributeError(f"module retrieval.types has no attribute {name}")
    import numpy as np
    from numpy.typing import NDArray

    return NDArray[np.float32]
