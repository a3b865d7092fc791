"""The named encoders: one TOML file each in configs/, shipped inside the wheel too."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

_PACKAGE = Path(__file__).parent
CONFIGS = next(f for f in (_PACKAGE / "configs", _PACKAGE.parent / "configs") if f.is_dir())


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """What configs/encoders/<name>.toml says: where the bundle is, its dimension, size and licence."""

    name: str
    source: str
    dim: int
    context: int
    size_mb: int
    licence: str
    about: str


def encoder_names() -> list[str]:
    return sorted(path.stem for path in (CONFIGS / "encoders").glob("*.toml"))


def encoder_config(name: str) -> EncoderConfig:
    return EncoderConfig(name, **tomllib.loads((CONFIGS / "encoders" / f"{name}.toml").read_text(encoding="utf-8")))
