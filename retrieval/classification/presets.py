"""The classes of published benchmarks: one TOML file each in configs/classify/, shipped inside the wheel too."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

from retrieval.encoders.configs import CONFIGS
from retrieval.errors import QueryError


@dataclass(frozen=True, slots=True)
class ClassifyConfig:
    """What configs/classify/<name>.toml says: the classes of a benchmark and the words that its authors put them in.

    `known_as` says which label a published copy of the data means by its folder names or codes.
    """

    name: str
    labels: tuple[str, ...]
    templates: tuple[str, ...]
    about: str
    known_as: Mapping[str, str] = field(default_factory=dict)


def classify_names() -> list[str]:
    return sorted(path.stem for path in (CONFIGS / "classify").glob("*.toml"))


def classify_config(name: str) -> ClassifyConfig:
    if name not in classify_names():
        raise QueryError(f"{name}: no such preset; use one of {', '.join(classify_names())}, or give labels")
    values = tomllib.loads((CONFIGS / "classify" / f"{name}.toml").read_text(encoding="utf-8"))
    return ClassifyConfig(name, tuple(values.pop("labels")), tuple(values.pop("templates")), **values)
