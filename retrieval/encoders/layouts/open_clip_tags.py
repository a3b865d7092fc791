"""open_clip's own models, `open_clip:<model>/<tag>`: its configurations, its published weights, its preprocessing."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
from open_clip.pretrained import download_pretrained, get_pretrained_cfg, list_pretrained_tags_by_model

from retrieval.encoders import hub
from retrieval.encoders.assemble import (
    CLIP_PREPROCESS,
    TEXT_CONFIG,
    TOKENIZER_FILES,
    ModelParts,
    first_line,
    read_json_object,
)
from retrieval.encoders.assemble import tokenizer_files as files_of
from retrieval.encoders.layouts.open_clip_folder import load_openclip
from retrieval.errors import EncoderError

log = logging.getLogger("retrieval")
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def read_tag(model: str, tag: str, weights: Path | None = None, *, trust_torchscript: bool = False) -> ModelParts:
    """The parts of one of open_clip's models with the weights of a tag, or with a file of weights.

    What the hub's cache lacks (weights, tokenizer, the text tower's configuration) is downloaded, saying so first,
    unless HF_HUB_OFFLINE forbids it. The activation is the one that the tag was trained with, even where the model's
    name says otherwise. With `weights`, `tag` is not looked at, and `trust_torchscript` is that of `read_weights`.
    Raises EncoderError where model or tag is unknown, or the files cannot be had.
    """
    model = model.replace("/", "-")
    model_cfg = open_clip.get_model_config(model)
    if model_cfg is None:
        raise EncoderError(f"{model}: open_clip has no such model; {_nearest(model, open_clip.list_models())}")
    notes: tuple[str, ...] = ()
    if weights is None:
        title = f"open_clip:{model}/{tag}"
        published = get_pretrained_cfg(model, tag)
        if not published:
            raise EncoderError(f"{title}: no such tag; {_nearest(tag, list_pretrained_tags_by_model(model))}")
        if published.get("quick_gelu") and not model_cfg.get("quick_gelu"):
            model_cfg["quick_gelu"] = True
            notes = (f"activation quick_gelu, as the tag {tag} was trained with; the model's name leaves it open",)
        preprocess = _preprocess(published)
        weights = _published_weights(title, published)
    else:
        title = f"open_clip:{model}/{weights}"
        preprocess, notes = _usual_preprocess(model)
    text = model_cfg["text_cfg"]
    tokenizer, tower = text.get("hf_tokenizer_name"), text.get("hf_model_name")
    return ModelParts(
        title=title,
        model_cfg=model_cfg,
        preprocess_cfg=preprocess,
        load=partial(load_openclip, path=weights, trust_torchscript=trust_torchscript),
        tokenizer=files_of(_small_files(title, tokenizer, "tokenizer_config.json")) if tokenizer else (),
        text_config=read_json_object(_small_files(title, tower, TEXT_CONFIG) / TEXT_CONFIG) if tower else None,
        notes=notes,
    )


def _preprocess(published: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {key: published[key] for key in CLIP_PREPROCESS}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in chosen.items()}


def _usual_preprocess(model: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What all published weights of a model agree on, or CLIP's, and a note where that is a guess."""
    known: list[dict[str, Any]] = []
    for tag in list_pretrained_tags_by_model(model):
        preprocess = _preprocess(get_pretrained_cfg(model, tag))
        if preprocess not in known:
            known.append(preprocess)
    if len(known) == 1:
        return known[0], ()
    return dict(CLIP_PREPROCESS), ("images are prepared as for OpenAI's CLIP; a file of weights does not say how",)


def _published_weights(title: str, published: Mapping[str, Any]) -> Path:
    repository, _, name = published["hf_hub"].rpartition("/")
    names = (f"{Path(name).stem}.safetensors", name) if name else WEIGHTS
    folder = hub.cached_folder(repository)
    for name in names:
        if folder is not None and (folder / name).is_file():
            return folder / name
    _before_download(title, f"{repository} ({names[0]} or {names[1]})")
    try:
        return Path(download_pretrained(dict(published)))
    except Exception as error:  # the client, its HTTP library and the operating system raise a dozen types
        raise EncoderError(f"{title}: could not be downloaded ({first_line(error)}); {hub.INSTEAD}") from error


def _small_files(title: str, repository: str, certain: str) -> Path:
    """A folder with the configuration and tokenizer files of a hub repository; it always has the file `certain`."""
    folder = hub.cached_folder(repository)
    if folder is not None and (folder / certain).is_file() and (certain == TEXT_CONFIG or _has_vocabulary(folder)):
        return folder
    _before_download(title, f"{certain} of {repository}")
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(repository, allow_patterns=[TEXT_CONFIG, *TOKENIZER_FILES]))
    except Exception as error:
        raise EncoderError(f"{title}: {repository} could not be had ({first_line(error)}); {hub.INSTEAD}") from error


def _has_vocabulary(folder: Path) -> bool:
    try:
        return bool(files_of(folder))
    except EncoderError:
        return False


def _before_download(title: str, what: str) -> None:
    if hub.offline():
        raise EncoderError(
            f"{title}: the hub's cache lacks {what}, and HF_HUB_OFFLINE forbids downloading; {hub.INSTEAD}"
        )
    log.warning("downloading %s from the hub for %s; --encoder starter needs no download", what, title)


def _nearest(word: str, words: list[str]) -> str:
    near = difflib.get_close_matches(word, words, n=3, cutoff=0.3)
    return f"nearest are {', '.join(near)}" if near else f"there are {', '.join(words[:8]) or 'none'}"
