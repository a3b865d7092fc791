"""The encoders that have a name here: what is known of each, what is cached, and whether it could be opened now."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval.encoders import hub
from retrieval.encoders.configs import EncoderConfig, encoder_config, encoder_names
from retrieval.encoders.detect_layout import lacks, recognise
from retrieval.encoders.resolve import STARTER, imported, imported_names, repository_of


@dataclass(frozen=True, slots=True)
class EncoderEntry:
    """One line of the catalogue. `cached` is yes, no or partly; `loads` is yes, or why not, or what it takes first."""

    name: str
    dim: int | None
    context: int | None
    size: str
    licence: str
    cached: str
    loads: str
    about: str
    source: str


def catalogue() -> list[EncoderEntry]:
    """The starter, the named configs and the imports. Nothing is loaded, fetched or imported that is heavy."""
    starter = _folder(
        "starter", STARTER, "Apache-2.0", "to try everything with; trained for this project, needs nothing"
    )
    configured = [_configured(encoder_config(name)) for name in encoder_names()]
    own = [_folder(name, imported(name), "see its source", "imported") for name in imported_names()]
    return [starter, *configured, *own]


def _configured(config: EncoderConfig) -> EncoderEntry:
    repository, file = config.weights_in or "", ""
    if config.source.startswith("hf-hub:"):
        repository, file = repository_of(config.source)
    if repository:
        cached, missing = hub.tag_state(repository) if config.weights_in else hub.state(repository, file)
    else:  # a user's own file that names a folder, a file or a tag whose repository it does not say
        here = Path(config.source).exists()
        cached, missing = ("yes", []) if here else ("no", [])
    return EncoderEntry(
        config.name,
        config.dim,
        config.context,
        config.size,
        config.licence,
        cached,
        _loads(config, cached, missing),
        config.about,
        config.source,
    )


def _loads(config: EncoderConfig, cached: str, missing: list[str]) -> str:
    if cached == "yes":
        return "yes"
    if not config.source.startswith(("hf-hub:", "open_clip:")):
        return f"no: {config.source} is not there"
    if hub.offline():
        return f"no: {', '.join(missing) or 'not cached'}, and HF_HUB_OFFLINE is set"
    return "after completing the download" if missing else "after a download"


def _folder(name: str, folder: Path, licence: str, about: str) -> EncoderEntry:
    kind = recognise(folder)
    missing = lacks(folder, kind) if kind else ["configuration"]
    dim, context = _sizes(folder)
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) / 1e6
    loads = f"no: {', '.join(missing)} missing" if missing else "yes"
    cached = "partly" if missing else "yes"
    return EncoderEntry(name, dim, context, f"{size:.0f} MB", licence, cached, loads, about, str(folder))


def _sizes(folder: Path) -> tuple[int | None, int | None]:
    """Dimension and context of a bundle or a text encoder; None where the configuration does not say."""
    try:
        if (folder / "open_clip_config.json").is_file():
            model: dict[str, Any] = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))[
                "model_cfg"
            ]
            return model["embed_dim"], model["text_cfg"].get("context_length", 77)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return config.get("hidden_size"), config.get("max_position_embeddings")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None, None
