"""Encoders of the published sizes, with random weights, in the files in which their authors publish them.

What cannot be had without a network is made up: the weights (seeded), BERT's 28,895 words and SigLIP's 32,000. Shapes,
names, precisions, wrappers and file names are the published ones; CLIP's byte pairs are real, open_clip holds them.
"""

from __future__ import annotations

import json
import os
import re
import string
import warnings
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from retrieval.encoders.probes import WORDS

MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
BIOMEDBERT = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"
BERT = {
    "architectures": ["BertForMaskedLM"],
    "model_type": "bert",
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "max_position_embeddings": 512,
    "vocab_size": 30522,
    "type_vocab_size": 2,
    "pad_token_id": 0,
    "layer_norm_eps": 1e-12,
}
BIOMEDCLIP: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 512,
        "vision_cfg": {
            "timm_model_name": "vit_base_patch16_224",
            "timm_model_pretrained": False,
            "timm_pool": "",
            "timm_proj": "linear",
            "image_size": 224,
        },
        "text_cfg": {
            "hf_model_name": BIOMEDBERT,
            "hf_tokenizer_name": BIOMEDBERT,
            "hf_proj_type": "mlp",
            "hf_pooler_type": "cls_last_hidden_state_pooler",
            "context_length": 256,
        },
    },
    "preprocess_cfg": {"mean": MEAN, "std": STD},
}
VISION = {  # towers of CLIPModel, by the patch in their names
    "32": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
    "16": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
    "14": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096},
}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def lay_in_cache(folder: Path, repository: str) -> None:
    """Put the files of a folder into the hub's cache as its client does: blobs, and a snapshot of links to them."""
    root = Path(os.environ["HF_HOME"]) / "hub" / f"models--{repository.replace('/', '--')}"
    snapshot = root / "snapshots" / COMMIT
    for made in (root / "blobs", root / "refs", snapshot):
        made.mkdir(parents=True)
    (root / "refs" / "main").write_text(COMMIT)
    for path in folder.iterdir():
        blob = root / "blobs" / sha256(path.name.encode()).hexdigest()
        blob.hardlink_to(path)
        (snapshot / path.name).symlink_to(Path("../../blobs") / blob.name)


def biomedclip(folder: Path, weights: str) -> None:
    """Microsoft's repository, file by file; `weights` names the file of weights."""
    import torch
    from transformers import BertConfig

    (folder / "config.json").write_text(json.dumps(BertConfig(**BERT).to_dict()))
    (folder / "open_clip_config.json").write_text(json.dumps(BIOMEDCLIP, indent=2))
    towers = BIOMEDCLIP["model_cfg"]["text_cfg"] | {"hf_model_name": str(folder), "hf_model_pretrained": False}
    state = random_state(_described(f"local-dir:{folder}", load_weights=False, text_cfg=towers))
    state["text.transformer.embeddings.position_ids"] = torch.arange(512)[None]  # saved by transformers before 4.31
    _save(state, folder / weights)
    (folder / "config.json").unlink()  # Microsoft has none
    bert_words(folder)


def tag(folder: Path, model: str) -> None:
    """The repository of a tag of open_clip's: configuration, safetensors, and SigLIP's tokenizer."""
    import open_clip

    config = open_clip.get_model_config(model)
    siglip = "SigLIP" in model
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    published = {"model_cfg": config, "preprocess_cfg": preprocess if siglip else {"mean": MEAN, "std": STD}}
    (folder / "open_clip_config.json").write_text(json.dumps(published))
    if siglip:
        siglip_words(folder)
    _save(random_state(_described(model)), folder / "open_clip_model.safetensors")


def clip_model(folder: Path, patch: str, weights: str) -> None:
    """A `CLIPModel` as converted in 2022: position_ids among the weights, sizes of images as plain numbers."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    large = patch == "14"
    text = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12} if large else {}
    text |= {"vocab_size": 49408, "max_position_embeddings": 77, "bos_token_id": 0, "eos_token_id": 2}
    vision = VISION[patch] | {"image_size": 224, "patch_size": int(patch), "hidden_act": "quick_gelu"}
    config = {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": 768 if large else 512,
        "logit_scale_init_value": 2.6592,
        "text_config": {"hidden_act": "quick_gelu", "model_type": "clip_text_model", **text},
        "text_config_dict": None,
        "vision_config": {"model_type": "clip_vision_model", **vision},
        "vision_config_dict": None,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    with torch.device("meta"):
        sizes = {"projection_dim": config["projection_dim"]}
        model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, **sizes))
    state = random_state(model.state_dict())
    places = (224 // int(patch)) ** 2 + 1
    for side, count in (("text", 77), ("vision", places)):
        state[f"{side}_model.embeddings.position_ids"] = torch.arange(count)[None]
    _save(state, folder / weights)
    prepare = {"do_center_crop": True, "do_normalize": True, "do_resize": True, "image_mean": MEAN, "image_std": STD}
    prepare |= {"crop_size": 224, "size": 224, "resample": 3, "feature_extractor_type": "CLIPFeatureExtractor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(prepare))
    clip_words(folder)


def checkpoint(folder: Path, model: str, file: str) -> None:
    """PubMedCLIP's checkpoint: weights as OpenAI's `convert_weights` leaves them, and Adam's two averages of each."""
    import torch

    described = _described(model)
    state = {name: value.half() if _halved(name) else value for name, value in random_state(described).items()}
    trained = [value for name, value in described.items() if value.is_floating_point() and "running" not in name]
    averages = {
        number: {
            "step": torch.tensor(3.0),
            "exp_avg": torch.zeros(value.shape),
            "exp_avg_sq": torch.zeros(value.shape),
        }
        for number, value in enumerate(trained)
    }
    group = {"lr": 1e-5, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 5e-4, "params": list(averages)}
    optimizer = {"state": averages, "param_groups": [group]}
    content = {"best_epoch": 17, "state_dict": state, "optimizer_state_dict": optimizer, "best_loss": 0.5}
    torch.save(content, folder / file)


def training_checkpoint(folder: Path, model: str, file: str) -> None:
    """What open_clip's own training writes, from several processes."""
    import torch

    state = {f"module.{name}": value for name, value in random_state(_described(model)).items()}
    torch.save({"epoch": 9, "name": "run", "state_dict": state}, folder / file)


def torchscript(folder: Path, model: str, file: str) -> None:
    """The archives that OpenAI publishes: TorchScript, float16, with three numbers among the weights."""
    import torch

    holder = torch.nn.Module()
    numbers = {"input_resolution": 224, "context_length": 77, "vocab_size": 49408}
    state = {name: value.half() if _halved(name) else value for name, value in random_state(_described(model)).items()}
    for name, value in (state | {key: torch.tensor(number) for key, number in numbers.items()}).items():
        *parents, last = name.split(".")
        module = holder
        for part in parents:
            if not hasattr(module, part):
                module.add_module(part, torch.nn.Module())
            module = getattr(module, part)
        module.register_buffer(last, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch wants nobody to use TorchScript any more
        torch.jit.script(holder).save(str(folder / file))


def masked_lm(folder: Path) -> None:
    """BiomedBERT: a masked language model with its head, as a pickle."""
    import torch
    from transformers import BertConfig, BertForMaskedLM

    (folder / "config.json").write_text(json.dumps(BERT))
    with torch.device("meta"):
        model = BertForMaskedLM(BertConfig(**BERT))
    state = random_state(model.state_dict())
    state["cls.predictions.decoder.weight"] = state["bert.embeddings.word_embeddings.weight"]  # once in the file
    state["bert.embeddings.position_ids"] = torch.arange(512)[None]
    _save(state, folder / "pytorch_model.bin")
    bert_words(folder)


def random_state(described: dict[str, Any]) -> dict[str, Any]:
    """Weights for these names and shapes under which activations neither vanish nor explode, the same every time."""
    import torch

    generator = torch.Generator().manual_seed(0)
    made = {}
    for name, like in described.items():
        if not like.is_floating_point():
            made[name] = torch.full(like.shape, 9, dtype=like.dtype)  # a count of batches
        elif like.numel() == 1 and "logit" in name:
            made[name] = torch.full(like.shape, 4.6052 if "scale" in name else -10.0)
        elif "running_var" in name:
            made[name] = 0.5 + torch.rand(like.shape, generator=generator)
        else:
            matrix = like.ndim > 1 and "pos" not in name
            scale = like[0].numel() ** -0.5 if matrix else 0.1
            gain = 1.0 if like.ndim == 1 and name.endswith("weight") else 0.0
            made[name] = torch.randn(like.shape, generator=generator).mul_(scale).add_(gain)
    return made


def clip_words(folder: Path) -> None:
    """OpenAI's byte pairs in Hugging Face's files."""
    from open_clip.tokenizer import _tokenizer as own

    marks = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    (folder / "vocab.json").write_text(json.dumps({marks.get(word, word): row for word, row in own.encoder.items()}))
    merges = "\n".join(" ".join(pair) for pair in own.bpe_ranks)
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", encoding="utf-8")
    end = marks["<end_of_text>"]
    special = {"bos_token": marks["<start_of_text>"], "eos_token": end, "unk_token": end, "pad_token": end}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    config = special | {"model_max_length": 77, "tokenizer_class": "CLIPTokenizer", "do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def bert_words(folder: Path) -> None:
    """As many words as BiomedBERT's vocab.txt has."""
    words = _vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], 28_895)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    config = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def siglip_words(folder: Path) -> None:
    """A tokenizer of SigLIP's size and habits: the end mark is also the padding."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    numbers = {word: row for row, word in enumerate(_vocabulary(["<pad>", "</s>", "<unk>"], 32_000))}
    backend = Tokenizer(models.WordPiece(numbers, unk_token="<unk>", continuing_subword_prefix="##"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    marks = {"pad_token": "</s>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=backend, **marks).save_pretrained(folder)


def _vocabulary(marks: list[str], size: int) -> list[str]:
    """Marks, letters, the words of the probes, so that captions have a usual number of tokens, and made-up words."""
    letters = string.ascii_lowercase + string.digits + "()µ.,-"
    known = {part for word in WORDS for part in re.findall(r"\w\w+", word.lower())}
    words = [*marks, *letters, *(f"##{letter}" for letter in letters), *sorted(known)]
    made = (word for word in _made_up() if word not in known)
    return [*words, *(next(made) for _ in range(size - len(words)))]


def _made_up() -> Iterator[str]:
    """Syllables in every combination: words of the lengths of real ones, most of which no caption has."""
    syllables = [first + vowel + last for first in "bcdfglmnprst" for vowel in "aeiou" for last in ("", "n", "r")]
    yield from (one + other for one in syllables for other in syllables)


def _described(model: str, **options: Any) -> dict[str, Any]:
    """Names, shapes and types of an open_clip model's weights, without the weights."""
    import open_clip
    import torch

    with torch.device("meta"):
        return dict(open_clip.create_model(model, device="meta", pretrained_text=False, **options).state_dict())


def _halved(name: str) -> bool:
    """Whether OpenAI's `convert_weights` makes it float16: not norms, embeddings and counts."""
    kept = ("ln_", "bn", "downsample.1", "embedding", "logit_scale", "num_batches", "running")
    return not any(part in name for part in kept)


def _save(state: dict[str, Any], path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    if path.suffix == ".safetensors":
        save_file(state, path, metadata={"format": "pt"})
    else:
        torch.save(state, path)
