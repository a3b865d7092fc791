"""Encoders that users bring: objects, functions, names of modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import retrieval
from retrieval.cli import main
from retrieval.encoders import load_encoder
from retrieval.encoders.own_encoder import encoder_from_functions
from retrieval.errors import EncoderError
from tests.conftest import draw_colours
from tests.doubles import ColourEncoder

MODULE = """
import numpy as np
from retrieval import encoder_from_functions

def texts(items):
    return np.array([[text.count("red"), text.count("blue"), 0.1] for text in items])

def images(pictures):
    assert all(picture.size == (32, 32) for picture in pictures)
    return np.array([[p.getpixel((16, 16))[0], p.getpixel((16, 16))[2], 1] for p in pictures])

def make():
    return encoder_from_functions(texts, images, dim=3, name="colours", size=32)

encoder = make()
number = 7

def breaks():
    return 1 / 0
"""


def test_two_functions_and_a_dimension_are_an_encoder() -> None:
    seen: list[str] = []

    def texts(items: list[str]) -> Any:
        seen.extend(items)
        return np.array([[len(text), 1.0] for text in items])

    encoder = encoder_from_functions(texts, lambda pictures: np.ones((len(pictures), 2)), dim=2, name="mine")
    vectors = encoder.encode_texts(["µm, 10 °C", "", "red"])
    assert seen == ["µm, 10 °C", "", "red"]
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert encoder.encode_texts("one").shape == (1, 2)
    assert encoder.encode_images([Image.new("RGB", (5, 9)), Image.new("L", (3, 3))]).shape == (2, 2)
    again = encoder_from_functions(texts, lambda pictures: np.ones((len(pictures), 2)), dim=2, name="mine")
    assert again.fingerprint == encoder.fingerprint
    assert encoder_from_functions(texts, dim=2, name="mine", version="2").fingerprint != encoder.fingerprint


def test_a_function_of_the_wrong_shape_and_one_of_captions_only_say_so() -> None:
    encoder = encoder_from_functions(lambda items: np.ones((len(items), 3)), dim=2, name="mine")
    with pytest.raises(EncoderError, match=r"mine: a function gave \(1, 3\) for 1 items, not \(1, 2\)"):
        encoder.encode_texts("a")
    with pytest.raises(EncoderError, match="reads captions only"):
        encoder.encode_images([Image.new("RGB", (2, 2))])


def test_a_function_that_fails_is_named_and_gives_its_name_to_the_encoder() -> None:
    def embed(items: list[str]) -> Any:
        raise ValueError("no model")

    encoder = encoder_from_functions(embed, dim=2)
    assert encoder.name.endswith("embed")
    with pytest.raises(EncoderError, match=r"embed: a function fails \(ValueError: no model\)"):
        encoder.encode_texts("a")


def test_an_object_without_the_members_is_refused_by_name() -> None:
    assert load_encoder(ColourEncoder()).name == "colours"
    with pytest.raises(EncoderError, match="a function is no encoder: it lacks name, dim"):
        load_encoder(lambda texts: texts)  # type: ignore[arg-type]


def test_module_and_object_name_an_encoder_for_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "myencoder.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "brokenmodule.py").write_text("nothing_of_this_name", encoding="utf-8")
    draw_colours(tmp_path / "figures", 8)
    for name in ("myencoder:make", "myencoder:encoder"):
        assert load_encoder(name).name == name
    assert main(["index", "figures", "made", "--encoder", "myencoder:make"]) == 0
    capsys.readouterr()
    assert main(["search", "made", "a blue one", "-k", "1"]) == 0
    assert "002" in capsys.readouterr().out
    assert retrieval.open("made").encoder_name == "myencoder:make"
    for name, sentence in (
        ("myencoder:nothing", "the module myencoder has no nothing"),
        ("nomodule:x", "cannot be imported"),
        ("myencoder:number", "a int is no encoder"),
        ("myencoder:breaks", r"breaks\(\) gives no encoder \(ZeroDivisionError"),
        ("json:loads", r"loads\(\) gives no encoder \(TypeError"),
        ("brokenmodule:x", "brokenmodule fails while it is imported .NameError"),
    ):
        with pytest.raises(EncoderError, match=sentence):
            load_encoder(name)


@pytest.mark.parametrize("name", ["starter"])
def test_lists_of_texts_and_pictures_are_encoded(name: str, tmp_path: Path) -> None:
    encoder = load_encoder(name)
    pixels = np.zeros((20, 30, 3), np.uint8)
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    vectors = retrieval.load_encoder(encoder).encode_images(
        [path, str(path), path.read_bytes(), Image.open(path), pixels]
    )  # type: ignore[arg-type]
    assert vectors.shape == (5, encoder.dim)
    assert np.allclose(vectors, vectors[:1], atol=1e-6)
    assert encoder.encode_images(path).shape == (1, encoder.dim)  # type: ignore[arg-type]
    texts = encoder.encode_texts(["a blood film", "a chest radiograph"])  # type: ignore[arg-type]
    assert np.allclose(texts, encoder.encode_texts(encoder.tokenize(["a blood film", "a chest radiograph"])), atol=1e-5)
    assert encoder.encode_texts([]).shape == (0, encoder.dim)  # type: ignore[arg-type]
    for wrong, sentence in (([1], "a text is a str, not int"), ([b"x"], "a text is a str, not bytes")):
        with pytest.raises(retrieval.QueryError, match=sentence):
            encoder.encode_texts(wrong)  # type: ignore[arg-type]
    with pytest.raises(retrieval.QueryError, match=r"none\.png: cannot be read"):
        encoder.encode_images([tmp_path / "none.png"])  # type: ignore[arg-type]
