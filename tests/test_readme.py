"""The README: short, its tour true of a collection that is not the demo's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages_of_docs import ROOT, blocks, commands, draw_collection, missing, output_in_comments, run, run_python

README = ROOT / "README.md"
(TOUR,) = blocks(README, "console")
(SESSION,) = blocks(README, "python")


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, list[str], str]]:
    """Every command of the tour but the server with the lines shown below it and what it printed."""
    folder = tmp_path_factory.mktemp("reader")
    draw_collection(folder / "figures")
    (folder / "scan.png").write_bytes((folder / "figures/pictures/p07.png").read_bytes())
    before = Path.cwd()
    os.chdir(folder)
    try:
        done = [(command, shown, run(command)) for command, shown in commands(TOUR) if " serve " not in command]
    finally:
        os.chdir(before)
    return [*done, (str(folder), [], "")]


def test_the_readme_is_at_most_120_lines() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.slow
def test_the_tours_commands_print_what_is_shown(tour: list[tuple[str, list[str], str]]) -> None:
    assert [command.split()[1] for command, _, _ in tour[:-1]] == ["index", "search", "search", "evaluate"]
    for command, shown, printed in tour[:-1]:
        assert len(shown) > 1, command
        assert missing(shown, printed) == [], f"{command} printed:\n{printed}"


@pytest.mark.slow
def test_the_tours_server_starts(tour: list[tuple[str, list[str], str]]) -> None:
    command, shown = next(found for found in commands(TOUR) if " serve " in found[0])
    arguments = [sys.executable, "-m", "retrieval", *command.split()[1:], "--port", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        arguments, cwd=tour[-1][0], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        assert server.stdout is not None
        printed = ""
        for line in server.stdout:
            printed += line
            if line.startswith("serving"):
                server.terminate()
    assert missing(shown, printed) == [], printed


@pytest.mark.slow
def test_the_python_session_prints_what_is_shown(
    tour: list[tuple[str, list[str], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tour[-1][0])
    shown, printed = output_in_comments(SESSION), run_python(SESSION, {})
    assert len(shown) == len(printed.splitlines()) == 3
    assert missing(shown, printed) == [], printed


def test_pictures_and_links_lead_to_files_and_headings() -> None:
    for document in (README, ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        text = document.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)\s]*)\)", text):
            path, _, heading = target.partition("#")
            file = document.parent / path if path else document
            assert file.exists(), f"{document.name}: {target}"
            if heading:
                titles = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
                slugs = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
                assert heading in slugs, f"{document.name}: {target}"
