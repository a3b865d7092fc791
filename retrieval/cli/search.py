"""The `search` command: ask an index with words, images, its own figures, or a sum of them."""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.cli.options import add_fields, command, field_values, say
from retrieval.errors import QueryError
from retrieval.files import read_lines
from retrieval.search.search_options import SearchOptions
from retrieval.types import MODALITY_OF

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.search.query import Answer, Query
    from retrieval.search.searcher import Searcher

WIDTH = 120  # of a table that is not on a terminal
HIT_COLUMNS = (
    "rank",
    "score",
    "percentile",
    "figure_id",
    "modality",
    "panel",
    "caption",
    "article_id",
    "source_uri",
    "width",
    "height",
)


def declare(commands: Any) -> None:
    search = command(
        commands,
        "search",
        run,
        "ask an index: words find figures, an image finds captions, a figure or a vector finds figures like it",
        'retrieval search indexes/mine "axial CT of the abdomen" -k 5 --html answers.html\n'
        """  retrieval search indexes/mine --combine '2 * "axial CT" + scan.png - "MRI"' --min-percentile 99\n"""
        '  retrieval search indexes/mine "BRCA1 c.68_69del" --mode hybrid --per-article 1 --where "year is known"',
    )
    search.add_argument("index", metavar="INDEX", help="a built index")
    search.add_argument("text", nargs="*", default=[], metavar="TEXT", help="what to look for; all words are one query")
    search.add_argument("--image", action="append", default=[], metavar="FILE", help="ask with an image; repeatable")
    search.add_argument("--figure", action="append", default=[], metavar="ID", help="ask with a figure of the index")
    search.add_argument(
        "--vector", action="append", default=[], metavar="FILE", help="ask with the vectors of a .npy file, one a row"
    )
    search.add_argument(
        "--caption", action="append", default=[], metavar="ID", help="ask with the first caption of a figure"
    )
    search.add_argument(
        "--combine",
        action="append",
        default=[],
        metavar="EXPR",
        help='ask with a sum: texts in quotes, image files, figure:ID and caption:ID, joined by + and -, as "2 * ..."',
    )
    search.add_argument("--queries", metavar="FILE", help="text queries, one a line; - reads standard input")
    add_fields(search, SearchOptions, target={"choices": tuple(MODALITY_OF), "metavar": "{image,text}"})
    search.add_argument("--encoder", help="where the index's encoder is found, if not under its own name")
    search.add_argument(
        "--format",
        choices=("table", "json", "csv", "paths"),
        default="table",
        help="a table, one JSON object a hit and line, CSV, or the paths of the figures alone (default: %(default)s)",
    )
    search.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    search.add_argument("--thumbnails", action="store_true", help="put small pictures into the JSON, in base64")
    search.add_argument("--html", metavar="FILE", help="write a contact sheet that opens offline")


def run(args: argparse.Namespace) -> None:
    from retrieval.search.searcher import Searcher

    labels, queries = zip(*_queries(args), strict=True)
    searcher = Searcher(args.index, args.encoder)
    answers = searcher.search_many(queries, **field_values(args, SearchOptions))
    show = _printer(args, searcher)
    questions = []
    cut = 0
    for label, query, answer in zip(labels, queries, answers, strict=True):
        show(label, answer)
        cut += answer.query_cut
        if args.html:
            from retrieval.search.query import shown_query

            questions.append(shown_query(query, answer, label))
    if cut:
        asked = "the query is" if len(queries) == 1 else f"{cut} of {len(queries)} queries are"
        say(
            f"{asked} longer than the encoder reads: the end was not asked; "
            "an index made with --long-captions chunk reads all of it"
        )
    if args.html:
        from retrieval.files import replacing
        from retrieval.render.contact_sheet import contact_sheet

        subtitle = f"{args.index}, encoder {searcher.built.plan.encoder}"
        with replacing(Path(args.html)) as temporary:
            temporary.write_text(contact_sheet("Search results", questions, subtitle=subtitle), encoding="utf-8")
        say(f"wrote {args.html}")


def _nothing(args: argparse.Namespace, searcher: Searcher) -> str:
    """Why a question may have no hit."""
    reasons = []
    if args.mode == "lexical":
        other = "other " * bool(args.figure or args.caption)
        old = searcher.built.facts["lexical"]["format"] == 1 and not "".join(args.text).isascii()
        way = f" as a whole (to find parts of words without spaces, run: retrieval build {args.index})" * old
        reasons.append(f"no {other}caption holds these words{way}")
    if args.where:
        values = searcher.built.nearest_values(args.where)
        reasons.append(f"nothing fulfils the where clauses{f' ({values})' if values else ''}")
    if args.min_percentile is not None:
        reasons.append(f"nothing is nearer than {args.min_percentile:g} % of the index")
    return ", or ".join(reasons) or "nothing is there but what was asked with"


def _queries(args: argparse.Namespace) -> list[tuple[str, Query]]:
    """Every query with what it is called in the answers."""
    from retrieval.search.query import Query

    texts = [" ".join(args.text)] if args.text else []
    if len(args.text) > 1 and any(" " in word for word in args.text):
        say(f"one query: {texts[0]}; several are asked with --queries FILE")
    texts += read_lines(args.queries, "one query a line") if args.queries else []
    queries = [(text, Query(text=text)) for text in texts]
    queries += [(image, Query(image=image)) for image in args.image]
    queries += [(figure, Query(figure=figure)) for figure in args.figure]
    queries += [(f"caption of {figure}", Query(caption=figure)) for figure in args.caption]
    queries += [(expression, Query.parse(expression)) for expression in args.combine]
    for path in args.vector:
        queries += [(f"{path} row {row}", Query(vector=vector)) for row, vector in enumerate(_vectors(path))]
    if not queries:
        raise QueryError(
            "nothing to search for; give a text, --image FILE, --figure ID, --caption ID, --combine EXPR, "
            "--vector FILE or --queries FILE"
        )
    return queries


def _vectors(path: str) -> NDArray[Any]:
    """The rows (n, dim) of a .npy file; a single vector (dim,) is one row."""
    import numpy as np

    try:
        with open(path, "rb") as file:
            vectors: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise QueryError(
            f"{path}: cannot be read as vectors ({error}); give a .npy file of (n, dim) numbers"
        ) from error
    if vectors.ndim not in (1, 2) or vectors.dtype.kind not in "fiu":
        raise QueryError(
            f"{path}: holds {vectors.dtype} of shape {vectors.shape}; give a .npy file of (n, dim) numbers"
        )
    return np.atleast_2d(vectors)


def _printer(args: argparse.Namespace, searcher: Searcher) -> Callable[[str, Answer], None]:
    """Prints one answer after the other as --format says."""
    match args.format:
        case "json":
            return partial(_print_json, thumbnails=args.thumbnails)
        case "csv":
            return _csv_printer(list(searcher.built.plan.columns))
        case "paths":
            return partial(_print_paths, roots=_roots(searcher))
    return _table_printer(partial(_nothing, args, searcher))


def _table_printer(nothing: Callable[[], str]) -> Callable[[str, Answer], None]:
    from retrieval.render.terminal import hits_text

    gaps = chain([""], repeat("\n"))
    width = shutil.get_terminal_size((WIDTH, 24)).columns

    def show(label: str, answer: Answer) -> None:
        print(f"{next(gaps)}{label}")
        print(hits_text(answer, width, header=True, files=True) if len(answer) else f"  {nothing()}")

    return show


def _print_json(label: str, answer: Answer, thumbnails: bool) -> None:
    for hit in answer.to_list(thumbnails=thumbnails):
        print(json.dumps({"query": label, **hit}, ensure_ascii=False))


def _csv_printer(metadata: Sequence[str]) -> Callable[[str, Answer], None]:
    """The columns of a hit, then those of its metadata, under one header."""
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["query", *HIT_COLUMNS, *(f"metadata.{name}" if name in HIT_COLUMNS else name for name in metadata)])

    def show(label: str, answer: Answer) -> None:
        for hit in answer.to_list():
            its = (hit["metadata"].get(name) for name in metadata)
            table.writerow([label, *(hit[name] for name in HIT_COLUMNS), *its])

    return show


def _print_paths(label: str, answer: Answer, roots: Sequence[Path]) -> None:
    """The file of each figure once, below a folder that was indexed; where it is not there, as the source said."""
    unknown = sum(not hit.source_uri for hit in answer)
    if unknown:
        say(f"{unknown} hits name no file: their vectors came without")
    for uri in filter(None, dict.fromkeys(hit.source_uri for hit in answer)):
        print(next((place for root in roots if (place := root / uri).is_file()), uri))


def _roots(searcher: Searcher) -> list[Path]:
    """The folders that figures may lie in: the sources of the index and of what was added, or where those lie."""
    plan = searcher.built.plan
    changed = (change.source for change in searcher.built.shards.changes)
    given = [plan.options.get("image_root"), plan.source, *changed]
    return [path if path.is_dir() else path.parent for path in map(Path, filter(None, given))]
