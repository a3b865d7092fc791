"""The `vectors` command: precomputed embeddings into an index, and those of an index out to other programs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from retrieval.cli.options import add_fields, command, field_values, progress, reason_lines
from retrieval.indexer.import_options import ImportOptions

if TYPE_CHECKING:
    from retrieval.indexer.import_vectors import Imported


def declare(commands: Any) -> None:
    vectors = command(
        commands,
        "vectors",
        run_vectors_import,
        "make an index of embeddings that are there already, or write those of an index for other programs",
        "retrieval vectors import pairs.parquet indexes/mine --encoder biomedclip\n"
        "  retrieval vectors export indexes/mine images.parquet --of images",
    )
    actions = vectors.add_subparsers(title="actions", metavar="ACTION", required=True)
    importing = command(
        actions,
        "import",
        run_vectors_import,
        "write shards of embeddings from Parquet tables or clip-retrieval's folders; killed, it continues",
        "retrieval vectors import pairs.parquet indexes/mine --encoder biomedclip\n  retrieval build indexes/mine",
        goes_on=True,
    )
    importing.add_argument(
        "tables", nargs="+", metavar="TABLE", help="Parquet table with embeddings, or clip-retrieval's output folder"
    )
    importing.add_argument(
        "index", metavar="INDEX", help="folder to write; the same command continues an interrupted run"
    )
    importing.add_argument(
        "--encoder", metavar="NAME", help="encoder that made the vectors (default: what an exported table says)"
    )
    add_fields(importing, ImportOptions)
    exporting = command(
        actions,
        "export",
        run_vectors_export,
        "write the embeddings of an index with their ids as DuckDB, Polars, pandas or NumPy read them",
        "retrieval vectors export indexes/mine captions.parquet --of captions --columns figure_id,caption",
    )
    exporting.add_argument("index", metavar="INDEX", help="an index, built or only encoded")
    exporting.add_argument("out", metavar="OUT", help="file to write; with --as npy a new folder")
    exporting.add_argument("--of", choices=("images", "captions"), required=True, help="whose vectors")
    exporting.add_argument(
        "--as",
        dest="layout",
        choices=("list", "binary", "npy"),
        default="list",
        help="Parquet with lists of float32 or with float16 bytes, or clip-retrieval's .npy and metadata "
        "(default: %(default)s)",
    )
    exporting.add_argument("--columns", metavar="NAME,...", help="columns beside the embedding (default: all)")


def run_vectors_import(args: argparse.Namespace) -> None:
    from retrieval.indexer.import_vectors import import_vectors

    imported = import_vectors(
        args.tables,
        args.index,
        args.encoder,
        ImportOptions(**field_values(args, ImportOptions)),
        progress=progress(args),
    )
    print(describe_imported(imported))
    print(f"build it: retrieval build {args.index}")


def run_vectors_export(args: argparse.Namespace) -> None:
    from retrieval.export.export_vectors import export_vectors

    columns = None if args.columns is None else [name.strip() for name in args.columns.split(",") if name.strip()]
    rows = export_vectors(args.index, args.out, args.of, layout=args.layout, columns=columns)
    print(f"wrote {rows} vectors of {args.of} to {args.out}")


def describe_imported(imported: Imported) -> str:
    lines = [
        f"{imported.rows} rows in {imported.shards} shards ({imported.resumed} from before): {imported.images} images "
        f"and {imported.captions} captions of encoder {imported.encoder}, {imported.skips.total()} rows skipped"
    ]
    lines += [*reason_lines("skipped", imported.skips), *reason_lines("left out", imported.notes)]
    if imported.left_out:
        lines.append(f"  columns left out, bytes or nested: {', '.join(imported.left_out)}")
    if imported.unopened:
        lines.append(f"  words will be asked unchecked, as the encoder cannot be opened here: {imported.unopened}")
    return "\n".join(lines)
