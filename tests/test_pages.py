"""The pages of docs/ that tell a story: every block runs, on a collection that is not the demo's."""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path

import pytest

from tests.pages_of_docs import (
    FENCE,
    ROOT,
    commands,
    draw_collection,
    missing,
    output_in_comments,
    run,
    run_python,
)

PAGES = ("tutorial", "evaluation", "python")
SHIPPED = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
PLACEHOLDERS = re.compile(
    r"not measured yet|\bTODO\b|\bTBD\b|\bFIXME\b|\bXXX\b|lorem ipsum|%%|/tmp/|\btmp[a-z0-9_]{8}\b", re.I
)


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a reader has it: two collections, a picture to ask with, an index called mine and its copy, other."""
    folder = tmp_path_factory.mktemp("reader")
    draw_collection(folder / "figures")
    draw_collection(folder / "more-figures", 6, first=100)
    shutil.copy(folder / "figures/pictures/p07.png", folder / "scan.png")
    run(f"retrieval index {folder}/figures {folder}/indexes/mine --encoder starter")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_the_page_runs_and_prints_what_is_shown(
    page: str, collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(collection, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    if page == "evaluation":  # the others build it themselves
        shutil.copytree("indexes/mine", "indexes/other")
    else:
        shutil.rmtree("indexes/mine")
    names: dict[str, object] = {}
    found = FENCE.findall((ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"))
    assert found
    for language, block in found:
        if language == "python":
            printed = run_python(block, names)
            assert missing(output_in_comments(block), printed) == [], f"{block}\nprinted:\n{printed}"
        for command, shown in commands(block) if language == "console" else ():
            printed = run(command)
            assert missing(shown, printed) == [], f"{command} printed:\n{printed}"


@pytest.mark.parametrize("document", SHIPPED, ids=lambda path: path.name)
def test_no_page_that_ships_holds_a_placeholder_or_a_temporary_name(document: Path) -> None:
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        assert not PLACEHOLDERS.search(line), f"{document.name}:{number}: {line}"


def templates() -> set[str]:
    """Every text in the source of the package, with `…` for what is filled in."""
    found = set()
    for module in (ROOT / "retrieval").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
                found.add("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_every_message_of_the_troubleshooting_page_is_one_that_the_program_gives() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"^\| `(.+?)` \|", page.replace(r"\|", "|"), re.MULTILINE)
    assert len(messages) > 20
    known = templates()
    for message in messages:
        pattern = re.compile(".*".join(re.escape(part) for part in message.split("…")), re.DOTALL)
        assert any(pattern.search(text) for text in known), message
