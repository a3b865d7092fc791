"""The catalogue tells the truth about what is named, cached and loadable, without loading anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import open_clip
import pytest
from open_clip.pretrained import get_pretrained_cfg

from retrieval.encoders.catalogue import EncoderEntry, catalogue
from retrieval.encoders.configs import encoder_config, encoder_names
from retrieval.errors import EncoderError
from tests.encoders.conftest import Cached


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RETRIEVAL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RETRIEVAL_CONFIGS", raising=False)
    return tmp_path / "home"


def entry(name: str) -> EncoderEntry:
    return next(entry for entry in catalogue() if entry.name == name)


@pytest.mark.parametrize("name", encoder_names())
def test_a_shipped_config_says_all_that_is_known(name: str) -> None:
    config = encoder_config(name)
    assert config.dim
    assert config.context
    assert config.about
    assert config.licence
    assert config.source.startswith(("hf-hub:", "open_clip:"))


@pytest.mark.parametrize("name", [n for n in encoder_names() if encoder_config(n).source.startswith("open_clip:")])
def test_a_tag_is_one_of_open_clips_and_its_weights_lie_where_the_config_says(name: str) -> None:
    config = encoder_config(name)
    model, tag = config.source.removeprefix("open_clip:").split("/")
    assert get_pretrained_cfg(model, tag)["hf_hub"].rstrip("/") == config.weights_in
    settings = open_clip.get_model_config(model)
    assert (settings["embed_dim"], settings["text_cfg"]["context_length"]) == (config.dim, config.context)


@pytest.mark.slow
def test_what_is_cached_partly_cached_or_not_cached_is_told_apart(
    published: dict[str, Path], cached: Cached, tmp_path: Path
) -> None:
    cached("flaviagiammarino/pubmed-clip-vit-base-patch32", published["clip-model"])
    cached("microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract", published["text-only"], without=("vocab.txt",))
    cached("sarahESL/PubMedCLIP", published["state-dict"].parent)
    (tmp_path / "tag").mkdir()
    shutil.copy(published["bundle"] / "open_clip_model.safetensors", tmp_path / "tag")
    cached("timm/vit_base_patch32_clip_224.openai", tmp_path / "tag")
    states = {entry.name: (entry.cached, entry.loads) for entry in catalogue()}
    assert states["starter"] == ("yes", "yes")
    for name in ("pubmedclip", "pubmedclip-vit-b-32", "clip-vit-b-32"):
        assert states[name] == ("yes", "yes"), name
    for name in ("biomedclip", "pubmedclip-rn50", "clip-vit-l-14"):
        assert states[name] == ("no", "no: not cached, and HF_HUB_OFFLINE is set"), name
    assert states["biomedbert-abstract"] == ("partly", "no: vocabulary (tokenizer.json), and HF_HUB_OFFLINE is set")


def test_online_what_is_not_cached_takes_a_download(
    published: dict[str, Path], cached: Cached, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached("microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract", published["text-only"], without=("vocab.txt",))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    assert entry("biomedclip").loads == "after a download"
    assert entry("biomedbert-abstract").loads == "after completing the download"


def test_imports_and_ones_own_configs_are_listed_with_what_they_lack(
    published: dict[str, Path], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub_cache: Path
) -> None:
    for kind in ("bundle", "text-only"):
        shutil.copytree(published[kind], home / "encoders" / f"my-{kind}")
    shutil.copytree(published["clip-model"], home / "encoders" / "broken")
    (home / "encoders" / "broken" / "model.safetensors").unlink()
    (home / "encoders" / "notes").mkdir()
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "gone.toml").write_text('source = "nowhere"\ndim = 16\n')
    monkeypatch.setenv("RETRIEVAL_CONFIGS", str(tmp_path / "configs"))
    assert (entry("my-bundle").dim, entry("my-bundle").context, entry("my-bundle").loads) == (16, 16, "yes")
    assert (entry("my-text-only").dim, entry("my-text-only").context) == (32, 64)
    assert entry("broken").loads == "no: weights (model.safetensors) missing"
    assert entry("gone").loads == f"no: {tmp_path / 'configs' / 'nowhere'} is not there"
    assert entry("gone").size == "unknown size"
    assert "notes" not in {entry.name for entry in catalogue()}


@pytest.mark.slow
def test_the_catalogue_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom retrieval.encoders.catalogue import catalogue\nassert len(catalogue()) > 10\n"
        "heavy = {'torch', 'open_clip', 'transformers', 'timm', 'safetensors'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("source = ", "mine.toml: cannot be read as TOML"),
        ("dim = 512", "mine.toml: source is missing"),
        ('source = ""', "source is missing"),
        ('source = "x"\ncolour = "red"', "colour is no key of an encoder; use source, dim, context, size_mb"),
        ('source = "x"\ndim = "512"', "dim is '512'; give a whole number above 0"),
        ('source = "x"\ndim = true', "dim is True; give a whole number"),
        ('source = "x"\nsize_mb = 0', "size_mb is 0; give a whole number above 0, or leave it out"),
        ("source = 3", "source is 3; give text in quotes"),
        ('source = "x"\npooling = "max"', "pooling is 'max'; use one of cls, mean"),
        ('source = "x"\nactivation = "relu"', "activation is 'relu'; use one of gelu, quick_gelu"),
    ],
)
def test_a_file_of_ones_own_that_is_wrong_is_one_sentence(
    content: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text(content)
    monkeypatch.setenv("RETRIEVAL_CONFIGS", str(tmp_path))
    with pytest.raises(EncoderError, match=said):
        encoder_config("mine")


def test_a_name_means_one_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRIEVAL_CONFIGS", str(tmp_path))
    (tmp_path / "biomedclip.toml").write_text('source = "x"')
    with pytest.raises(EncoderError, match="biomedclip is the name of an encoder that there is already; rename it"):
        encoder_names()
    monkeypatch.setenv("RETRIEVAL_CONFIGS", str(tmp_path / "nowhere"))
    with pytest.raises(EncoderError, match="RETRIEVAL_CONFIGS names no folder"):
        encoder_names()
