"""The small files of Hugging Face's CLIP layout: how images are prepared and captions are split into tokens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import open_clip.tokenizer
from transformers import AutoTokenizer

from retrieval.encoders.assemble import CLIP_PREPROCESS, explained, read_json_object, tokenizer_files
from retrieval.errors import EncoderError

PREPROCESSORS = ("preprocessor_config.json", "processor_config.json")  # the second is transformers 5's
INTERPOLATIONS = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers
CLIP_WORDS = 49408
_LEGACY_END = 2  # config.json before transformers 4.32 said so, and meant the highest id of a caption


def read_preprocessor(folder: Path, image_size: int) -> tuple[dict[str, Any], tuple[str, ...]]:
    """open_clip's preprocess_cfg for the folder's preprocessor_config.json, and what to say of it.

    Raises EncoderError where images would come out otherwise than its authors' code has them.
    """
    config, name = _preprocessor(folder)
    if config is None:
        return dict(CLIP_PREPROCESS), (f"{name} is not there; images are prepared as for OpenAI's CLIP",)

    def refuse(what: str) -> EncoderError:
        return EncoderError(
            f"{folder / name}: {what} is not supported; mend the file if it is not what the model wants"
        )

    resample = config.get("resample", 3)
    if resample not in INTERPOLATIONS:
        raise refuse(f"resample {resample}")
    if not config.get("do_resize", True) or not config.get("do_rescale", True):
        raise refuse("do_resize or do_rescale false")
    if abs(config.get("rescale_factor", 1 / 255) * 255 - 1) > 1e-3:
        raise refuse(f"rescale_factor {config['rescale_factor']}")
    size = config.get("size", image_size)
    squashes = isinstance(size, dict) and "shortest_edge" not in size
    crops = config.get("do_center_crop", True)
    wanted = [_sides(size), *([_sides(config.get("crop_size", image_size))] if crops else [])]
    if any(sides != (image_size, image_size) for sides in wanted):
        raise refuse(f"size {size} with crop_size {config.get('crop_size')} for a model of {image_size} pixels")
    normalises = config.get("do_normalize", True)
    preprocess = CLIP_PREPROCESS | {
        "mean": config.get("image_mean", CLIP_PREPROCESS["mean"]) if normalises else [0.0, 0.0, 0.0],
        "std": config.get("image_std", CLIP_PREPROCESS["std"]) if normalises else [1.0, 1.0, 1.0],
        "interpolation": INTERPOLATIONS[resample],
        "resize_mode": "squash" if squashes else "shortest",
    }
    if crops or squashes:
        return preprocess, ()
    return preprocess, (f"{name} leaves the crop out, which only square images survive; the middle is cropped",)


def read_tokenizer(folder: Path, text: Mapping[str, Any]) -> tuple[tuple[Path, ...], dict[str, Any], tuple[str, ...]]:
    """The tokenizer's files (none for CLIP's own words), what text_cfg has to say of them, and notes.

    `text` is the text tower's part of config.json. CLIP's own words are read by OpenAI's tokenizer, which open_clip
    holds: it straightens typographic quotes and ligatures first, as in CLIP's training, which transformers leaves out.
    """
    words = _words(folder)
    if words is None:
        if text["vocab_size"] != CLIP_WORDS:
            raise EncoderError(f"{folder}: the tokenizer's vocabulary is missing (tokenizer.json or vocab.json)")
        return (), {}, ("no tokenizer files there; CLIP's own words are used",)
    if _are_clips(words):
        return (), {}, ()
    files = tokenizer_files(folder)
    with explained(f"{folder}: the tokenizer's files cannot be read"):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        ids = tokenizer("a").input_ids
    end = text["eos_token_id"]
    last = tokenizer.eos_token_id if end == _LEGACY_END else end
    if tokenizer.pad_token_id is None or tokenizer.padding_side != "right" or ids[-1] != last or ids.count(last) != 1:
        raise EncoderError(
            f"{folder}: the tokenizer does not end captions with the id {last} and fill up behind it, "
            "which the text tower looks for; mend tokenizer_config.json"
        )
    if len(tokenizer) > text["vocab_size"]:
        raise EncoderError(f"{folder}: the tokenizer knows {len(tokenizer)} words, the model {text['vocab_size']}")
    if end == _LEGACY_END and max(tokenizer.get_vocab().values()) != last:
        raise EncoderError(
            f"{folder}: config.json's eos_token_id 2 means the highest id, which is not the end mark {last} of this "
            f"tokenizer; write {last} there if the model was trained so"
        )
    pooling = {} if end == _LEGACY_END else {"pool_type": "eos", "eos_id": end}
    return files, {"hf_tokenizer_name": "beside the weights", **pooling}, ()


def _preprocessor(folder: Path) -> tuple[dict[str, Any] | None, str]:
    for name in PREPROCESSORS:
        if (folder / name).is_file():
            config = read_json_object(folder / name)
            config = config.get("image_processor", config)
            if isinstance(config, dict) and (name == PREPROCESSORS[0] or "image_mean" in config):
                return config, name
    return None, PREPROCESSORS[0]


def _sides(size: Any) -> tuple[Any, Any]:
    """Height and width of a size: a number, {"shortest_edge"} or {"height", "width"}."""
    if isinstance(size, dict):
        edge = size.get("shortest_edge")
        return (edge, edge) if edge is not None else (size.get("height"), size.get("width"))
    if isinstance(size, list):
        return tuple(size) if len(size) == 2 else (None, None)
    return size, size


def _words(folder: Path) -> Mapping[str, int] | None:
    """The vocabulary, word → id; None where there are no tokenizer files that hold one."""
    if (folder / "vocab.json").is_file():
        return read_json_object(folder / "vocab.json")
    if (folder / "tokenizer.json").is_file():
        model = read_json_object(folder / "tokenizer.json").get("model") or {}
        words = model.get("vocab")
        if isinstance(words, dict):
            return words
        return {word: number for number, (word, _) in enumerate(words or [])}
    return {} if any((folder / name).is_file() for name in ("vocab.txt", "spiece.model", "tokenizer.model")) else None


def _are_clips(words: Mapping[str, int]) -> bool:
    own: dict[str, int] = open_clip.SimpleTokenizer().encoder
    marks = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}  # open_clip and Hugging Face
    return len(words) == len(own) and all(words.get(marks.get(word, word)) == number for word, number in own.items())
