"""The truth on disk: shards that appear whole or not at all, and the steps that changed them since."""

from retrieval.shards.reader import Shards
from retrieval.shards.reusable import Reusable, caption_key
from retrieval.shards.steps import Change, seal_step, unfinished_step
from retrieval.shards.tables import (
    ARROW_TYPES,
    OTHER,
    ROW_GROUP,
    TABLES,
    VECTORS,
    Kind,
    Table,
    holds_lists,
    parse_extra,
    read_record,
    record_path,
    schema,
    seal,
    shard_path,
    to_bytes,
    to_vectors,
    write_tables,
)
from retrieval.shards.withdrawing import rows_of_figures

__all__ = [
    "ARROW_TYPES",
    "OTHER",
    "ROW_GROUP",
    "TABLES",
    "VECTORS",
    "Change",
    "Kind",
    "Reusable",
    "Shards",
    "Table",
    "caption_key",
    "holds_lists",
    "parse_extra",
    "read_record",
    "record_path",
    "rows_of_figures",
    "schema",
    "seal",
    "seal_step",
    "shard_path",
    "to_bytes",
    "to_vectors",
    "unfinished_step",
    "write_tables",
]
