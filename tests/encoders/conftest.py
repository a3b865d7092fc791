"""One tiny encoder of each layout, built once, and a hub cache to lay them in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.published import publish

COMMIT = "0123456789abcdef0123456789abcdef01234567"
Cached = Callable[..., Path]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Models as small as these wait for threads a hundred times as long as they compute, on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return publish(tmp_path_factory.mktemp("published"))


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, offline: whoever asks the network fails."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def cached(hub_cache: Path) -> Cached:
    """Lay the files of a folder into the cache as huggingface_hub does: blobs, and a snapshot of links to them."""

    def lay(repository: str, folder: Path, *, without: tuple[str, ...] = ()) -> Path:
        root = hub_cache / f"models--{repository.replace('/', '--')}"
        snapshot = root / "snapshots" / COMMIT
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if not path.is_file() or str(name) in without:
                continue
            blob = root / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
            blob.parent.mkdir(parents=True, exist_ok=True)
            blob.write_bytes(path.read_bytes())
            (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
            (snapshot / name).symlink_to(blob)
        (root / "refs").mkdir()
        (root / "refs" / "main").write_text(COMMIT)
        return snapshot

    return lay
