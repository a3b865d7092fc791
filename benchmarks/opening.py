"""One encoder opened by us and by its authors' code, to be asked the same."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from published import BERT, MEAN, STD


class Opened(NamedTuple):
    """An encoder opened: PIL images to one array each, a list of these to vectors, captions to vectors."""

    prepare: Callable[[Any], Any]
    images: Callable[[list[Any]], Any]
    texts: Callable[[list[str]], Any]
    reads_images: bool = True
    precision: str = "fp32"
    fingerprint: str = ""


def ours(name: str, trust: bool) -> Opened:
    from retrieval.encoders import load_encoder

    encoder = load_encoder(name, device="cpu", trust_torchscript=trust)
    return Opened(
        encoder.prepare,
        lambda prepared: encoder.encode_images(np.stack(prepared)),
        lambda captions: encoder.encode_texts(encoder.tokenize(captions)),
        encoder.reads_images,
        encoder.precision,  # type: ignore[attr-defined]
        encoder.fingerprint,
    )


def by_open_clip(folder: str) -> Opened:
    """open_clip's own loading of a folder; a text tower's config.json is put where it finds it."""
    import open_clip

    text = json.loads(Path(folder, "open_clip_config.json").read_text())["model_cfg"]["text_cfg"]
    override = {}
    if "hf_model_name" in text:
        tower = Path(tempfile.mkdtemp(dir=Path(folder).parent))
        (tower / "config.json").write_text(json.dumps(BERT))
        override = {"text_cfg": text | {"hf_model_name": str(tower), "hf_model_pretrained": False}}
    model = open_clip.create_model(f"local-dir:{folder}", **override)
    return _of_open_clip(model, open_clip.get_tokenizer(f"local-dir:{folder}"))


def by_tag(folder: str, model: str, tag: str) -> Opened:
    """The tokenizer is the folder's: by the model's name open_clip asks the hub for SigLIP's, cached or not."""
    import open_clip

    made = open_clip.create_model(model, pretrained=tag)
    return _of_open_clip(made, open_clip.get_tokenizer(f"local-dir:{folder}"))


def by_file(folder: str, model: str, file: str) -> Opened:
    import open_clip

    made = open_clip.create_model(model, pretrained=str(Path(folder, file)))
    return _of_open_clip(made, open_clip.get_tokenizer(model))


def by_openai_file(folder: str, file: str) -> Opened:
    """open_clip's builder for OpenAI's files, which infers the architecture as OpenAI's own code does."""
    import open_clip
    import torch
    from open_clip.model import build_model_from_openai_state_dict

    path = str(Path(folder, file))
    if file.endswith(".pt"):
        state = torch.jit.load(path, map_location="cpu").state_dict()
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    return _of_open_clip(build_model_from_openai_state_dict(state).float(), open_clip.get_tokenizer("ViT-B-32"))


def by_clip_model(folder: str) -> Opened:
    """transformers' path; the image processor is the one that resizes with Pillow, as the authors' did."""
    import torch
    from transformers import CLIPModel, CLIPTokenizer
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    model = CLIPModel.from_pretrained(folder).eval()
    tokenizer, processor = CLIPTokenizer.from_pretrained(folder), CLIPImageProcessorPil.from_pretrained(folder)

    def texts(captions: list[str]) -> Any:
        tokens = tokenizer(captions, padding=True, truncation=True, max_length=77, return_tensors="pt")
        with torch.inference_mode():
            return _unit(model.get_text_features(**tokens).pooler_output)

    def images(prepared: list[Any]) -> Any:
        with torch.inference_mode():
            return _unit(model.get_image_features(pixel_values=torch.from_numpy(np.stack(prepared))).pooler_output)

    return Opened(lambda image: processor(image, return_tensors="np").pixel_values[0], images, texts)


def by_auto_model(folder: str) -> Opened:
    """transformers' path to a text encoder, and the mean of its states without padding."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def texts(captions: list[str]) -> Any:
        tokens = tokenizer(captions, padding=True, truncation=True, max_length=512, return_tensors="pt")
        mask = tokens.attention_mask[:, :, None]
        with torch.inference_mode():
            states = model(**tokens).last_hidden_state
        return _unit((states * mask).sum(1) / mask.sum(1))

    return Opened(lambda image: None, lambda prepared: None, texts, reads_images=False)


def _of_open_clip(model: Any, tokenizer: Any) -> Opened:
    """The loop of open_clip's examples: its transform, its tokenizer with full padding."""
    import open_clip
    import torch
    from open_clip.transform import PreprocessCfg, image_transform_v2

    model.eval()
    cfg = open_clip.get_model_preprocess_cfg(model) or {"size": model.visual.image_size, "mean": MEAN, "std": STD}
    transform = image_transform_v2(PreprocessCfg(**cfg), is_train=False)

    def images(prepared: list[Any]) -> Any:
        with torch.inference_mode():
            return model.encode_image(torch.from_numpy(np.stack(prepared)), normalize=True).numpy()

    def texts(captions: list[str]) -> Any:
        with torch.inference_mode():
            return model.encode_text(tokenizer(captions), normalize=True).numpy()

    return Opened(lambda image: transform(image).numpy(), images, texts)


def _unit(vectors: Any) -> Any:
    import torch

    return torch.nn.functional.normalize(vectors, dim=-1).numpy()
