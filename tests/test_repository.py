"""What stands beside the package: its version, how it is cited, built and contributed to."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import retrieval

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def lines(name: str) -> list[str]:
    return (ROOT / name).read_text(encoding="utf-8").splitlines()


def test_the_version_stands_in_one_place_and_is_that_of_the_changelog_and_the_citation() -> None:
    assert PROJECT["dynamic"] == ["version"]
    newest = next(line for line in lines("CHANGELOG.md") if re.match(r"## \d", line))
    assert newest.startswith(f"## {retrieval.__version__}, ")
    cited = dict(line.split(": ", 1) for line in lines("CITATION.cff") if re.match(r"[a-z-]+: \S", line))
    assert cited["version"] == retrieval.__version__
    assert cited["date-released"] == newest.split(", ")[1]
    assert cited["license"] == PROJECT["license"]


def test_every_python_that_is_promised_is_in_the_workflow_that_calls_make() -> None:
    workflow = "\n".join(lines(".github/workflows/tests.yml"))
    tested = re.findall(r'"(3\.\d+)"', workflow)
    promised = [c.rsplit(" ", 1)[1] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert set(promised) <= set(tested)
    assert f">={tested[0]}" == PROJECT["requires-python"]
    assert "run: make test" in workflow
    assert "ubuntu" in workflow
    assert "macos" in workflow


def test_what_the_container_copies_is_there_and_asks_a_route_whether_it_lives() -> None:
    pytest.importorskip("fastapi")
    from retrieval.server import routes_health

    container = lines("Dockerfile")
    copied = [name for line in container if re.match(r"COPY (?!--)", line) for name in line.split()[1:-1]]
    assert copied
    assert all((ROOT / name).exists() for name in copied)
    assert {line[1:] for line in lines(".dockerignore") if line.startswith("!")} == set(copied)
    (asked,) = re.findall(r"127\.0\.0\.1:8000(/\w+)", "\n".join(container))
    assert f'"{asked}"' in Path(routes_health.__file__).read_text(encoding="utf-8")
    assert any(line.startswith("USER ") for line in container)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md"])
def test_files_and_commands_that_a_page_names_are_there(page: str) -> None:
    text = "\n".join(lines(page))
    named = re.findall(r"\b(?:retrieval|tests|docs|benchmarks|configs)/[\w./-]+\.(?:py|md|toml)\b", text)
    made = {"configs/encoders/NAME.toml"}
    assert {name for name in named if name not in made and not (ROOT / name).exists()} == set()
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"\bmake (\w+)", text)) <= targets
