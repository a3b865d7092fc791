"""What is written about the program is true of it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from retrieval.cli.manual import DOCUMENT, updated
from retrieval.encoders.configs import encoder_config, encoder_names
from retrieval.shards.plan import Plan
from retrieval.shards.tables import TABLES, schema
from retrieval.types import Split

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "retrieval").rglob("*.py"))
FORMATS = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
PLAN = Plan("s", "folder", {}, "0", {"year": "int64"}, "e", "0", 8, None, 192, 1, 10, (Split(0, 0, 10),))


def test_the_numbers_in_the_documents_are_those_of_the_results() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "benchmarks" / "tables.py"), "--check"], check=False)
    assert done.returncode == 0, "run: python benchmarks/tables.py"


def test_the_list_of_commands_is_what_the_parser_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RETRIEVAL_ENCODER", raising=False)
    document = DOCUMENT.read_text(encoding="utf-8")
    assert updated(document) == document, "run: make docs"
    assert "| `TABLE` | Parquet table with embeddings, or clip-retrieval's output folder |" in document
    assert "| `-k N` | hits a query (default: 10) |" in document
    assert '\nretrieval remove indexes/mine --where "licence in cc-by-nc,cc-by-nd" --dry-run\n' in document


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_its_job_in_its_first_line(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), module


@pytest.mark.parametrize("table", TABLES)
def test_every_column_of_a_shard_is_described(table: str) -> None:
    for field in schema(table, PLAN):  # type: ignore[arg-type]
        assert f"`{field.name}`" in FORMATS or field.name in PLAN.columns, field.name


def test_every_key_of_the_plan_is_described() -> None:
    for name in PLAN.__dataclass_fields__:
        assert f"`{name}`" in FORMATS, name


@pytest.mark.parametrize("name", encoder_names())
def test_every_named_encoder_stands_in_its_page_with_its_size(name: str) -> None:
    page = (ROOT / "docs" / "encoders.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{name}`"))
    assert encoder_config(name).size in row


def test_links_and_paths_that_documents_name_exist() -> None:
    for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = document.read_text(encoding="utf-8")
        for path in re.findall(r"`((?:retrieval|benchmarks|docs|training|configs|tests)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), f"{document.name} names {path}"
