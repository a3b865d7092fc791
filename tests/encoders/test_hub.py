"""Hub encoders: what is cached needs no network, what is missing is said, and only what is needed is fetched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from retrieval.encoders import hub, load_encoder
from retrieval.encoders.detect_layout import needed_files
from retrieval.encoders.resolve import EncoderSource, resolve
from retrieval.errors import EncoderError
from tests.encoders.conftest import COMMIT, Cached


class FakeHub:
    """Stands for the hub's client: lists the files of a folder and copies what is asked for into the cache."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.cache, self.asked = folder, cache, list[str]()

    def model_info(self, repository: str, *, files_metadata: bool) -> SimpleNamespace:
        assert files_metadata
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        siblings = [
            SimpleNamespace(rfilename=str(path.relative_to(self.folder)), size=path.stat().st_size) for path in files
        ]
        return SimpleNamespace(siblings=siblings, card_data=SimpleNamespace(license="mit"))

    def snapshot_download(self, repository: str, *, allow_patterns: list[str]) -> str:
        self.asked += allow_patterns
        root = self.cache / f"models--{repository.replace('/', '--')}"
        snapshot = root / "snapshots" / COMMIT
        for name in allow_patterns:
            (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
            if not (snapshot / name).exists():
                shutil.copy(self.folder / name, snapshot / name)
        (root / "refs").mkdir(exist_ok=True)
        (root / "refs" / "main").write_text(COMMIT)
        return str(snapshot)

    def hf_hub_download(self, repository: str, name: str) -> str:
        return str(Path(self.snapshot_download(repository, allow_patterns=[name])) / name)


@pytest.fixture
def online(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> type:
    """Call it with a folder, and that is what every repository of the hub holds."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)

    def serve(folder: Path) -> FakeHub:
        fake = FakeHub(folder, hub_cache)
        monkeypatch.setattr("huggingface_hub.HfApi", lambda: fake)
        monkeypatch.setattr("huggingface_hub.snapshot_download", fake.snapshot_download)
        monkeypatch.setattr("huggingface_hub.hf_hub_download", fake.hf_hub_download)
        return fake

    return serve  # type: ignore[return-value]


@pytest.mark.parametrize("kind", ["bundle", "clip-model", "text-only"])
def test_every_layout_loads_from_the_cache_without_network(
    kind: str, published: dict[str, Path], cached: Cached
) -> None:
    cached("some/repository", published[kind])
    assert resolve("hf-hub:some/repository").kind == kind
    encoder = load_encoder("hf-hub:some/repository")
    assert encoder.name == "hf-hub:some/repository"
    assert encoder.fingerprint == load_encoder(str(published[kind])).fingerprint


def test_one_state_dict_of_a_repository_is_named_behind_a_hash(published: dict[str, Path], cached: Cached) -> None:
    cached("some/weights", published["state-dict"].parent)
    encoder = load_encoder("hf-hub:some/weights#PubMedCLIP_ViT32.pth")
    assert encoder.fingerprint == load_encoder(str(published["state-dict"])).fingerprint


def test_a_named_config_passes_on_what_it_says_of_activation_and_pooling(
    published: dict[str, Path], cached: Cached, tmp_path: Path
) -> None:
    snapshot = cached("microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract", published["text-only"])
    assert resolve("biomedbert-abstract") == EncoderSource("text-only", snapshot, pooling="mean")
    (tmp_path / "bmc").mkdir()
    shutil.copy(published["state-dict"], tmp_path / "bmc" / "BMC_CLIP_CF.pt")
    snapshot = cached("BIOMEDICA/BMC_CLIP_CF", tmp_path / "bmc")
    assert resolve("bmc-clip") == EncoderSource("state-dict", snapshot / "BMC_CLIP_CF.pt", activation="gelu")
    assert load_encoder("bmc-clip").fingerprint != load_encoder(str(published["state-dict"])).fingerprint


def test_hf_home_and_offline_are_read_from_the_environment(published: dict[str, Path], cached: Cached) -> None:
    snapshot = cached("some/repository", published["bundle"])
    home = snapshot.parents[3]  # HF_HOME/hub/models--…/snapshots/…
    script = (
        "from retrieval.encoders.resolve import resolve\nprint(resolve('hf-hub:some/repository').path)\n"
        "try: resolve('biomedclip')\nexcept Exception as error: print(error)"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = done.stdout.splitlines()
    assert Path(first) == snapshot
    assert "not in the hub's cache, and HF_HUB_OFFLINE forbids downloading" in second


@pytest.mark.parametrize(
    ("kind", "file", "said"),
    [
        ("bundle", "open_clip_model.safetensors", r"lacks weights \(open_clip_model.safetensors\)"),
        ("bundle", "vocab.txt", r"lacks vocabulary \(tokenizer.json\)"),
        ("clip-model", "model.safetensors", r"lacks weights \(model.safetensors\)"),
        ("text-only", "vocab.txt", "lacks vocabulary"),
        ("text-only", "config.json", "lacks open_clip_config.json or config.json"),
    ],
)
def test_a_partial_cache_is_named_offline(
    kind: str, file: str, said: str, published: dict[str, Path], cached: Cached
) -> None:
    cached("some/repository", published[kind], without=(file,))
    assert hub.state("some/repository")[0] == "partly"
    with pytest.raises(EncoderError, match=f"some/repository: the hub's cache {said}.*HF_HUB_OFFLINE"):
        resolve("hf-hub:some/repository")


def test_a_shard_of_the_weights_may_be_what_is_missing(published: dict[str, Path], cached: Cached) -> None:
    folder = published["clip-model"].parent / "sharded"
    shutil.copytree(published["clip-model"], folder)
    (folder / "model.safetensors").unlink()
    (folder / "model-00001-of-00002.safetensors").write_bytes(b"")
    names = '"model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"'
    (folder / "model.safetensors.index.json").write_text(f'{{"weight_map": {{"a": {names}}}}}')
    cached("some/repository", folder)
    with pytest.raises(EncoderError, match=r"lacks model-00002-of-00002\.safetensors"):
        resolve("hf-hub:some/repository")


def test_a_partial_cache_is_completed_online_saying_so(
    published: dict[str, Path], cached: Cached, online: type, caplog: pytest.LogCaptureFixture
) -> None:
    folder = published["bundle"]
    cached("some/repository", folder, without=("open_clip_model.safetensors",))
    online(folder)
    assert resolve("hf-hub:some/repository").kind == "bundle"
    megabytes = (folder / "open_clip_model.safetensors").stat().st_size / 1e6
    said = caplog.text
    assert f"completing the download of encoder some/repository ({megabytes:.0f} MB, licence mit)" in said
    assert hub.state("some/repository") == ("yes", [])


def test_only_the_files_that_are_needed_are_fetched_and_only_once(
    published: dict[str, Path], online: type, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(shutil.copytree(published["clip-model"], tmp_path / "repository"))
    for name in ("pytorch_model.bin", "flax_model.msgpack", "tf_model.h5", "example.ipynb", "README.md"):
        (folder / name).write_bytes(b"")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "config.json").write_text("{}")
    fake = online(folder)
    resolve("pubmedclip")
    assert "downloading encoder pubmedclip (605 MB, licence MIT) from the hub" in caplog.text
    caplog.clear()
    assert "model.safetensors" in fake.asked
    assert {Path(name).suffix for name in fake.asked} == {".json", ".txt", ".safetensors"}
    assert not [name for name in fake.asked if "/" in name]
    fake.asked.clear()
    resolve("pubmedclip")
    assert fake.asked == []
    assert caplog.text == ""


def test_shards_and_the_pooling_of_a_text_encoder_are_needed_and_a_second_kind_of_weights_is_not() -> None:
    shards = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    names = ["config.json", "model.safetensors.index.json", *shards, "pytorch_model.bin", "vocab.txt"]
    assert needed_files([*names, "1_Pooling/config.json", "2_Dense/config.json"]) == sorted(
        {*names, "1_Pooling/config.json"} - {"pytorch_model.bin"}
    )
    both = ["open_clip_config.json", "open_clip_pytorch_model.bin", "config.json", "pytorch_model.bin"]
    assert "pytorch_model.bin" not in needed_files(both)
    assert needed_files(["README.md", "weights.pth"]) == []


def test_a_repository_of_several_state_dicts_lists_them(online: type, tmp_path: Path) -> None:
    for name in ("PubMedCLIP_RN50.pth", "PubMedCLIP_ViT32.pth", "README.md"):
        (tmp_path / "r").mkdir(exist_ok=True)
        (tmp_path / "r" / name).write_bytes(b"")
    online(tmp_path / "r")
    with pytest.raises(EncoderError, match=r"name one of hf-hub:s/p#PubMedCLIP_RN50\.pth, hf-hub:s/p#PubMedCLIP_ViT"):
        resolve("hf-hub:s/p")
    with pytest.raises(EncoderError, match=r"has no file x\.pth; there is hf-hub:s/p#PubMedCLIP_RN50\.pth"):
        resolve("hf-hub:s/p#x.pth")


def test_the_only_state_dict_of_a_repository_is_taken(
    published: dict[str, Path], online: type, caplog: pytest.LogCaptureFixture
) -> None:
    fake = online(published["state-dict"].parent)
    assert resolve("hf-hub:s/p").kind == "state-dict"
    assert fake.asked == ["PubMedCLIP_ViT32.pth"]
    assert "downloading encoder s/p#PubMedCLIP_ViT32.pth (" in caplog.text


def test_weights_that_another_program_cached_alone_are_not_guessed_at(
    published: dict[str, Path], cached: Cached
) -> None:
    """open_clip caches the weights of a tag without configuration: their activation may be another than OpenAI's."""
    cached("some/tag", published["state-dict"].parent)
    with pytest.raises(EncoderError, match=r"name it: hf-hub:some/tag#PubMedCLIP_ViT32\.pth"):
        resolve("hf-hub:some/tag")


def test_a_repository_without_an_encoder_says_what_was_looked_for(online: type, tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "README.md").write_text("")
    online(tmp_path / "r")
    with pytest.raises(EncoderError, match=r"neither open_clip_config\.json, nor the config\.json of a CLIPModel"):
        resolve("hf-hub:some/data")


@pytest.mark.parametrize("name", ["hf-hub:", "hf-hub:a b/c", "hf-hub:a/b/c", "hf-hub:../x", "hf-hub:#x.pth"])
def test_what_can_be_no_repository_is_refused(name: str, hub_cache: Path) -> None:
    with pytest.raises(EncoderError, match=r"hf-hub:<owner>/<repository>|not in the hub.s cache"):
        resolve(name)


def test_a_download_that_fails_is_one_sentence_after_what_was_to_be_downloaded(
    online: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def down() -> None:
        raise ConnectionError("no route to host\nand a traceback")

    online(tmp_path)
    monkeypatch.setattr("huggingface_hub.HfApi", down)
    for name in ("biomedclip", "pubmedclip-rn50"):
        with pytest.raises(
            EncoderError, match=r"could not be downloaded \(no route to host\); use --encoder starter"
        ) as e:
            resolve(name)
        assert str(e.value).startswith(f"{name} (")
        assert f"downloading encoder {name} (" in caplog.text
