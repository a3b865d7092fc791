"""What a user gets from the wheel: the command works in another folder, with configs and starter inside."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE_FILES = (".html", ".css", ".js", ".svg")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked into a folder of its own as pip would."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, folder: Path, *argv: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(installed), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "retrieval", *argv],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_wheel_holds_no_tests_and_everything_that_is_read_at_run_time(installed: Path) -> None:
    names = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    assert {"retrieval/configs/encoders/biomedclip.toml", "retrieval/configs/classify/rsna.toml"} <= names
    assert "retrieval/encoders/starter/open_clip_model.safetensors" in names
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / "retrieval").rglob("*.*") if path.suffix in PAGE_FILES}
    assert "retrieval/render/document.html" in pages
    assert pages <= names
    assert not [name for name in names if name.startswith(("tests", "benchmarks", "training"))]


def test_the_demo_runs_from_the_wheel_in_another_folder(installed: Path, tmp_path: Path) -> None:
    printed = run(installed, tmp_path, "demo", "--count", "60")
    assert "$ retrieval index collections/demo indexes/demo --encoder starter" in printed
    assert "60 images" in printed
    assert printed.count("indexing 60 image vectors") == 1  # commands of the demo tell once what they do
    assert "hit_rate@10" in printed
    assert "retrieval serve indexes/demo" in printed
    page = (tmp_path / "demo.html").read_text(encoding="utf-8")
    assert "Held-out drawings" in page
    assert run(installed, tmp_path, "demo", "--count", "60").count("(1 from before)") == 1


def test_every_package_that_is_imported_is_declared() -> None:
    """A package that another one happens to bring is gone when that one changes its mind."""
    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*about["dependencies"], *(one for extra in about["optional-dependencies"].values() for one in extra)]
    names = {re.split(r"[<>=\[ ]", one)[0].lower().replace("-", "_") for one in wanted}
    distributions = importlib.metadata.packages_distributions()
    undeclared: dict[str, str] = {}
    for path in (ROOT / "retrieval").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules = [node.module]
            for top in {module.split(".")[0] for module in modules} - {"retrieval", *sys.stdlib_module_names}:
                brought_by = {name.lower().replace("-", "_") for name in distributions.get(top, [top])}
                if not brought_by & names:
                    undeclared[top] = path.name
    assert undeclared == {}


CONSUMER = """
import retrieval

index = retrieval.open("indexes/mine")
answer = index.search("axial CT", k=5, where="year >= 2018")
reveal_type(index)
reveal_type(answer)
reveal_type(answer[0].modality)
reveal_type(index.evaluate(queries="sample:10"))
reveal_type(retrieval.load_encoder("starter").dim)
index.search("axial CT", kk=5)
retrieval.index("figures", "indexes/mine", shard_sise=7)
"""


def test_type_checkers_see_the_public_face_of_the_wheel(installed: Path, tmp_path: Path) -> None:
    assert (installed / "retrieval" / "py.typed").is_file()
    (tmp_path / "consumer.py").write_text(CONSUMER)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--config-file=",
            "--follow-imports=silent",
            "--cache-dir",
            "cache",
            "consumer.py",
        ],
        env=os.environ | {"MYPYPATH": str(installed)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    told = re.findall(r'Revealed type is "([^"]*)"', done.stdout)
    assert told[:2] == ["retrieval.api.Index", "retrieval.search.query.Answer"], done.stdout
    assert "image" in told[2]
    assert "text" in told[2]
    assert told[3] == "retrieval.evaluation.report.Report"
    assert told[4].endswith("int")
    assert 'Unexpected keyword argument "kk"' in done.stdout
    assert 'Unexpected keyword argument "shard_sise"' in done.stdout
