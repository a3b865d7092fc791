"""The published encoders that are opened at full size: what is made of each, and how its authors open it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from opening import Opened, by_auto_model, by_clip_model, by_file, by_open_clip, by_openai_file, by_tag
from published import (
    BIOMEDBERT,
    biomedclip,
    checkpoint,
    clip_model,
    masked_lm,
    tag,
    torchscript,
    training_checkpoint,
)


@dataclass(frozen=True)
class System:
    """One row: what is published, the name that opens it from the hub's cache, and how its authors open it.

    `make` fills a folder; `path` is what is named when the folder stands at `{folder}`. `theirs` opens the folder.
    """

    layout: str
    make: Callable[[Path], None]
    theirs: Callable[[str], Opened]
    hub: str = ""
    repository: str = ""
    path: str = "{folder}"
    trust: bool = False

    @property
    def against(self) -> str:
        """The library whose vectors are the authors' own."""
        return "transformers" if self.theirs in (by_clip_model, by_auto_model) else "open_clip"


def systems() -> dict[str, System]:
    found = {
        "biomedclip": System(
            "open_clip repository with a pickle, no config.json of the text tower",
            partial(biomedclip, weights="open_clip_pytorch_model.bin"),
            by_open_clip,
            "biomedclip",
            "microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
        ),
        "pubmedclip": System(
            "`CLIPModel` with pytorch_model.bin",
            partial(clip_model, patch="32", weights="pytorch_model.bin"),
            by_clip_model,
            "pubmedclip",
            "flaviagiammarino/pubmed-clip-vit-base-patch32",
        ),
    }
    for name, file, model in (
        ("pubmedclip-vit-b-32", "PubMedCLIP_ViT32.pth", "ViT-B-32-quickgelu"),
        ("pubmedclip-rn50", "PubMedCLIP_RN50.pth", "RN50-quickgelu"),
        ("pubmedclip-rn50x4", "PubMedCLIP_RN50x4.pth", "RN50x4-quickgelu"),
    ):
        found[name] = System(
            "state dict in float16 with optimizer state",
            partial(checkpoint, model=model, file=file),
            partial(by_openai_file, file=file),
            name,
            "sarahESL/PubMedCLIP",
            f"{{folder}}/{file}",
        )
    for name, model, repository in (
        ("clip-vit-b-32", "ViT-B-32-quickgelu", "timm/vit_base_patch32_clip_224.openai"),
        ("clip-vit-b-16", "ViT-B-16-quickgelu", "timm/vit_base_patch16_clip_224.openai"),
        ("clip-vit-l-14", "ViT-L-14-quickgelu", "timm/vit_large_patch14_clip_224.openai"),
    ):
        found[name] = System(
            "open_clip tag; its folder",
            partial(tag, model=model),
            partial(by_tag, model=model, tag="openai"),
            name,
            repository,
        )
    found["siglip-vit-b-16"] = System(
        "open_clip tag; its folder",
        partial(tag, model="ViT-B-16-SigLIP"),
        partial(by_tag, model="ViT-B-16-SigLIP", tag="webli"),
        "siglip-vit-b-16",
        "timm/ViT-B-16-SigLIP",
    )
    found["fashion-clip"] = System(
        "`CLIPModel` with model.safetensors",
        partial(clip_model, patch="32", weights="model.safetensors"),
        by_clip_model,
        "fashion-clip",
        "patrickjohncyh/fashion-clip",
    )
    for name, end in (("biomedbert-abstract", ""), ("biomedbert-fulltext", "-fulltext")):
        found[name] = System(
            "`BertForMaskedLM` with pytorch_model.bin", masked_lm, by_auto_model, name, BIOMEDBERT + end
        )
    found["open-pmc"] = System(
        "open_clip repository with safetensors",
        partial(biomedclip, weights="open_clip_model.safetensors"),
        by_open_clip,
        "open-pmc",
        "vector-institute/open-pmc-18m-clip",
    )
    for patch, repository in (("32", "clip-vit-base-patch32"), ("16", "clip-vit-base-patch16")):
        found[f"openai/{repository}"] = _openai_clip_model(patch, repository)
    for model in ("ViT-B-32", "ViT-B-16"):
        found[f"{model}.pt"] = _archive(model)
    found["medpmc-clip"] = System(
        "open_clip repository with safetensors",
        partial(tag, model="ViT-L-14"),
        by_open_clip,
        "medpmc-clip",
        "Yale-BIDS-Chen/medpmc-clip-l-14_jun24_v1",
    )
    found["bmc-clip"] = System(
        "state dict as open_clip's training writes it",
        partial(training_checkpoint, model="ViT-L-14", file="BMC_CLIP_CF.pt"),
        partial(by_file, model="ViT-L-14", file="BMC_CLIP_CF.pt"),
        "bmc-clip",
        "BIOMEDICA/BMC_CLIP_CF",
        "open_clip:ViT-L-14/{folder}/BMC_CLIP_CF.pt",
    )
    found["openai/clip-vit-large-patch14"] = _openai_clip_model("14", "clip-vit-large-patch14")
    found["ViT-L-14.pt"] = _archive("ViT-L-14")
    return found


def _openai_clip_model(patch: str, repository: str) -> System:
    return System(
        "`CLIPModel` with model.safetensors",
        partial(clip_model, patch=patch, weights="model.safetensors"),
        by_clip_model,
        f"hf-hub:openai/{repository}",
        f"openai/{repository}",
    )


def _archive(model: str) -> System:
    return System(
        "OpenAI's TorchScript archive, trusted",
        partial(torchscript, model=f"{model}-quickgelu", file=f"{model}.pt"),
        partial(by_openai_file, file=f"{model}.pt"),
        path=f"{{folder}}/{model}.pt",
        trust=True,
    )
