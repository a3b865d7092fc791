"""Fixtures that every folder of tests may use."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from PIL import Image

from tests.doubles import COLOURS

settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")  # passes or fails alike everywhere; --hypothesis-profile default looks further

SLOW_FOLDERS = ("benchmarks", "crash", "server/page")
"""Folders whose tests start processes, kill them or open a browser: `make quick` leaves all of them out."""
SLOW_FILES = (
    *(
        "test_packaging.py",
        "test_real_corpus.py",
        "pages/test_map_page.py",
        "pages/test_map.py",
        "pages/test_report.py",
    ),
    *("indexes/test_rebuild.py", "indexes/test_tune.py", "indexes/test_update.py", "indexes/test_build.py"),
    *("encoders/test_hf_clip.py", "encoders/test_starter.py", "encoders/test_openai.py", "encoders/test_preprocess.py"),
    *(
        "indexer/test_executors.py",
        "evaluation/test_both_ways.py",
        "corpora/test_tables_fuzz.py",
        "corpora/test_remote.py",
    ),
    *("search/test_search_ways.py", "server/test_together.py", "server/test_swap.py", "demo/test_figures.py"),
)
"""Files whose tests train indexes, load models, fuzz or ask a server: the longest of the others, measured together."""
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the slow folders and files, and those that run the whole starter model, as slow."""
    here = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(here).parent.as_posix() if item.path.is_relative_to(here) else ""
        file = f"{folder}/{item.path.name}".removeprefix("./")
        if folder.startswith(SLOW_FOLDERS) or file in SLOW_FILES or (folder == "contracts" and "[starter" in item.name):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The licensed real corpora beside the checkout; absent on most machines."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the real corpora in ../shared/data, which are not part of the project")
    return SHARED_DATA


@pytest.fixture
def colour_folder(tmp_path: Path) -> Path:
    """Twenty little figures, some without caption, some with two, some broken: written by `draw_colours`."""
    folder = tmp_path / "figures"
    draw_colours(folder, 20)
    return folder


def draw_colours(folder: Path, count: int) -> None:
    """`count` images in shades of the eight colours of ColourEncoder, with captions that name them."""
    folder.mkdir(parents=True)
    names = list(COLOURS)
    for number in range(count):
        name = names[number % len(names)]
        shade = tuple(max(0, channel - 9 * (number // len(names))) for channel in COLOURS[name])
        Image.new("RGB", (40 + number, 30), shade).save(folder / f"{number:03d}.png")
        if number % 7 != 6:
            (folder / f"{number:03d}.txt").write_text(f"a {name} field, number {number}", encoding="utf-8")
