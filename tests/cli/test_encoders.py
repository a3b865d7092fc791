"""retrieval encoders: list, import and check, as a user types them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from retrieval.cli import main
from retrieval.encoders import PRECISIONS, load_encoder, load_plain
from retrieval.indexer.encode_options import EncodeOptions
from tests.cli.test_commands import refusal
from tests.published import publish

Published = dict[str, Path]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return publish(tmp_path_factory.mktemp("published"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RETRIEVAL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "home" / "encoders"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_the_list_is_an_aligned_table_of_every_encoder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert main(["encoders"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "dim", "context", "size", "licence", "cached", "loads", "here", "about"]
    place = lines[0].index("cached")
    assert {line[place:].split()[0] for line in lines[1:]} == {"yes", "no"}
    assert [line.split()[0] for line in lines[1:3]] == ["starter", "biomedbert-abstract"]
    assert main(["encoders", "list"]) == 0
    assert capsys.readouterr().out.splitlines() == lines


def test_a_narrow_terminal_gets_one_line_an_encoder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    main(["encoders"])
    assert {len(line) for line in capsys.readouterr().out.splitlines()} == {60}


@pytest.mark.parametrize("argv", [["encoders", "--json"], ["encoders", "list", "--json"]])
def test_the_list_as_json_has_every_field(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 0
    entries = json.loads(capsys.readouterr().out)
    by_name = {entry["name"]: entry for entry in entries}
    assert by_name["biomedclip"]["dim"] == 512
    assert by_name["biomedclip"]["source"].startswith("hf-hub:microsoft/BiomedCLIP")
    assert set(entries[0]) >= {"name", "dim", "context", "size", "licence", "cached", "loads", "about", "source"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bundle", "clip-model", "text-only", "state-dict"])
def test_an_import_is_the_same_encoder_under_its_own_name(
    kind: str,
    published: Published,
    home: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = str(published[kind])
    assert main(["encoders", "import", source, "mine"]) == 0
    assert capsys.readouterr().out == f"imported {source} into {home / 'mine'}; use it as --encoder mine\n"
    encoder = load_encoder("mine")
    assert encoder.name == "mine"
    assert encoder.fingerprint == load_encoder(source).fingerprint
    assert not [path for path in (home / "mine").rglob("*") if path.suffix in (".bin", ".pth")]
    written = "".join(path.read_text() for path in (home / "mine").rglob("*.json"))
    assert str(published[kind].parent) not in written
    main(["encoders", "list", "--json"])
    assert "mine" in {entry["name"] for entry in json.loads(capsys.readouterr().out)}


@pytest.mark.slow
def test_an_imported_text_encoder_keeps_its_pooling(
    published: Published,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "own.toml").write_text(f'source = "{published["text-only"]}"\npooling = "cls"\n')
    monkeypatch.setenv("RETRIEVAL_CONFIGS", str(tmp_path))
    assert main(["encoders", "import", "own", "first"]) == 0
    assert load_encoder("first").fingerprint == load_encoder("own").fingerprint
    assert load_encoder("first").fingerprint != load_encoder(str(published["text-only"])).fingerprint


def test_a_path_is_a_place_to_write_to_and_the_folder_can_be_moved(
    published: Published,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["encoders", "import", str(published["state-dict"]), "./models/rn50"]) == 0
    assert "note: activation quick_gelu assumed" in capsys.readouterr().err
    shutil.move(tmp_path / "models" / "rn50", tmp_path / "elsewhere")
    assert load_encoder("elsewhere").fingerprint == load_encoder(str(published["state-dict"])).fingerprint


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("biomedclip", "biomedclip: is the name of an encoder that there is already; choose another"),
        ("starter", "is the name of an encoder that there is already"),
        ("hf-hub:mine", "not a name; use letters, digits, dots and dashes, or a path"),
        ("taken", "taken: is there already; choose another name, or remove it first"),
        (".", "not a name"),
        ("./", "is there already"),
    ],
)
def test_a_name_that_cannot_be_given_is_refused_before_anything_is_read(
    name: str,
    said: str,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (home / "taken").mkdir(parents=True)
    assert said in refusal(capsys, "encoders", "import", "--", "nowhere", name)


def test_an_import_that_fails_leaves_nothing(
    published: Published,
    tmp_path: Path,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    damaged = Path(shutil.copytree(published["clip-model"], tmp_path / "damaged"))
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "damaged" in refusal(capsys, "encoders", "import", str(damaged), "mine")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for kind in ("clip-model", "text-only"):
        with monkeypatch.context() as patched:
            patched.setattr("retrieval.files.os.rename", full)
            assert "the disk is full" in refusal(capsys, "encoders", "import", str(published[kind]), "mine")
    assert not list(home.glob("*"))
    assert main(["encoders", "import", str(published["clip-model"]), "mine"]) == 0


def test_a_sound_encoder_passes_the_check(
    published: Published,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["encoders", "check", str(published["text-only"])]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("32 dimensions, 64 tokens, on cpu")
    assert [line.split()[0] for line in lines[1:10]] == ["ok"] * 9
    assert [line.split()[:2] for line in lines[10:13]] == [["precision", name] for name in ("fp32", "bf16", "fp16")]
    assert lines[-1] == "all checks passed"


def test_a_check_that_fails_gives_exit_code_1(
    published: Published,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def in_train_mode(*args: Any, **options: Any) -> Any:
        encoder = load_plain(*args, **options)
        encoder._model.train()
        return encoder

    monkeypatch.setattr("retrieval.encoders.load_plain", in_train_mode)
    assert main(["encoders", "check", str(published["text-only"]), "--precision", "fp32"]) == 1
    printed = capsys.readouterr().out
    assert "FAILED  eval mode everywhere" in printed
    assert printed.splitlines()[-1].endswith("checks failed; do not index with it")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["encoders", "check", "biomedclop"], "did you mean biomedclip"),
        (["encoders", "check", "biomedclip"], "HF_HUB_OFFLINE forbids downloading"),
        (["encoders", "check", "./nowhere"], "there is no such file or folder"),
        (["encoders", "import", "biomedclip", "mine"], "HF_HUB_OFFLINE forbids downloading"),
        (["encoders", "import", "hf-hub:x", "mine"], "not in the hub's cache"),
    ],
)
def test_a_wrong_request_gets_one_line(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in refusal(capsys, *argv)


@pytest.mark.parametrize("action", ["list", "import", "check"])
def test_every_action_has_help_with_an_example(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["encoders", action, "--help"])
    assert stopped.value.code == 0
    assert f"example:\n  retrieval encoders {action} " in capsys.readouterr().out


def test_the_options_of_encoding_offer_the_precisions_of_the_encoders() -> None:
    """They stand twice because building the command line must not import the encoders."""
    (precision,) = (one for one in fields(EncodeOptions) if one.name == "precision")
    assert precision.metadata["choices"] == PRECISIONS
