"""Tar archives that tests put together."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence

from tests.corpora.conftest import picture

Members = Mapping[str, bytes | str] | Sequence[tuple[str, bytes | str]]


def tar(members: Members, **options: int) -> bytes:
    """An archive of these files; names may come again where they are given as pairs."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **options) as archive:
        for name, content in members.items() if isinstance(members, Mapping) else members:
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def pairs(*keys: str) -> dict[str, bytes | str]:
    """An image and a caption of each key."""
    return {
        f"{key}{suffix}": content for key in keys for suffix, content in ((".png", picture()), (".txt", f"of {key}"))
    }
