"""Zero-shot classification: equal to open_clip's own path, in order, and refusing what cannot be told apart."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from retrieval.classification.classify import Prediction, classify, label_vectors, logit_scale
from retrieval.classification.presets import classify_config, classify_names
from retrieval.classification.sources import figures_at
from retrieval.classification.truth import Truth
from retrieval.encoders import load_encoder
from retrieval.errors import CorpusError, EncoderError, QueryError
from retrieval.types import Figure, Skip, Tokens, Vectors
from tests.bundles import bert_bundle, clip_bundle
from tests.doubles import COLOURS, ColourEncoder
from tests.listed import figure

LABELS = ["red", "green", "blue"]


def noise(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 255, (40, 50, 3), dtype=np.uint8))


def as_figure(image: Image.Image, name: str = "noise") -> Figure:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return Figure(name, buffer.getvalue(), (), f"{name}.png")


def best(answer: Prediction | Skip, labels: list[str] = LABELS) -> str:
    assert isinstance(answer, Prediction)
    return labels[int(answer.probabilities.argmax())]


TEMPLATES = [["a photo of {}"], ["a scan of {}", "the {} in the image", "{}"]]
TISSUES = ["lung", "liver", "stained tissue", "MRI"]


@pytest.mark.slow
@pytest.mark.parametrize("templates", TEMPLATES)
def test_probabilities_equal_those_of_open_clips_zero_shot_classifier(templates: list[str], tmp_path: Path) -> None:
    folder = clip_bundle(tmp_path / "bundle")
    encoder = load_encoder(str(folder), device="cpu")
    ours = list(classify(map(as_figure, map(noise, range(3))), TISSUES, encoder, templates=templates))
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    settings = open_clip.transform.PreprocessCfg(**open_clip.get_model_preprocess_cfg(model))
    transform = open_clip.transform.image_transform_v2(settings, is_train=False)
    with torch.inference_mode():
        tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
        classes = open_clip.build_zero_shot_classifier(model, tokenizer, TISSUES, templates)
        images = model.encode_image(torch.stack([transform(noise(seed)) for seed in range(3)]), normalize=True)
        theirs = (model.logit_scale.exp() * images @ classes).softmax(dim=-1).numpy()
    np.testing.assert_allclose([answer.probabilities for answer in ours], theirs, atol=1e-6)


@pytest.mark.slow
def test_label_vectors_of_a_bert_equal_those_of_open_clip_in_any_batch(tmp_path: Path) -> None:
    folder = bert_bundle(tmp_path / "bundle")
    encoder, tokenizer = load_encoder(str(folder), device="cpu"), open_clip.get_tokenizer(f"local-dir:{folder}")
    for templates in TEMPLATES:
        with torch.inference_mode():
            theirs = open_clip.build_zero_shot_classifier(encoder._model, tokenizer, TISSUES, templates).T.numpy()
        for batch_size in (1, 5, 64):
            ours = label_vectors(encoder, TISSUES, templates, batch_size=batch_size)
            np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_scale_is_the_models_own_or_that_of_clip(tmp_path: Path) -> None:
    bundle = load_encoder(str(clip_bundle(tmp_path / "bundle")), device="cpu")
    assert logit_scale(bundle) == pytest.approx(1 / 0.07)  # what open_clip begins a training with
    assert logit_scale(ColourEncoder()) == 100


def test_each_colour_is_found_and_probabilities_sum_to_one() -> None:
    figures = [figure(name, COLOURS[name]) for name in ("blue", "red", "green")]
    answers = list(classify(figures, LABELS, ColourEncoder()))
    assert [(answer.figure_id, best(answer)) for answer in answers] == [
        (name, name) for name in ("blue", "red", "green")
    ]
    assert [answer.probabilities.sum() for answer in answers if isinstance(answer, Prediction)] == pytest.approx(
        [1] * 3
    )


@pytest.mark.parametrize("batch_size", [1, 2, 3, 64])
def test_skips_stand_where_their_figures_were_whatever_the_batch(batch_size: int) -> None:
    figures: list[Figure | Skip] = [
        Figure("no file", b"", (), "empty.png"),
        figure("a", COLOURS["red"]),
        Skip("b", "b.png", "row is not valid JSON"),
        figure("c", None, "only words"),
        figure("d", COLOURS["blue"]),
        Figure("e", b"words", (), "e.png"),
    ]
    answers = list(classify(figures, LABELS, ColourEncoder(), batch_size=batch_size, workers=2))
    assert [answer.reason if isinstance(answer, Skip) else best(answer) for answer in answers] == [
        "image is empty",
        "red",
        "row is not valid JSON",
        "no image",
        "blue",
        "not an image",
    ]


def test_figures_are_read_as_predictions_are_asked_for() -> None:
    read = []

    def endless() -> object:
        while True:
            read.append(1)
            yield figure("a", COLOURS["red"])

    answers = classify(endless(), LABELS, ColourEncoder(), batch_size=4)  # type: ignore[arg-type]
    assert not read
    assert best(next(answers)) == "red"
    assert len(read) < 20


def test_templates_are_averaged_as_vectors_of_length_one() -> None:
    encoder = ColourEncoder()
    single = [label_vectors(encoder, LABELS, [template]) for template in ("{}", "{} on black")]
    mean = (single[0] + single[1]) / 2
    both = label_vectors(encoder, LABELS, ["{}", "{} on black"])
    np.testing.assert_allclose(both, mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-6)
    assert np.abs(both - single[0]).max() > 0.01


@pytest.mark.parametrize(
    ("labels", "templates", "said"),
    [
        ([], ["{}"], "at least two labels are needed to choose from, not 0"),
        ("red,green", ["{}"], r"not 1 \(red,green\)"),
        (["red", " "], ["{}"], "one of the labels is empty"),
        (["lung_aca", "Lung  ACA"], ["{}"], "the label Lung  ACA is there twice"),
        (LABELS, [], "no template"),
        (LABELS, ["{}", "a photo"], "the template 'a photo' has no {}"),
        (LABELS, ["{}" + " very" * 20], "is longer than colours reads"),
    ],
)
def test_labels_and_templates_that_cannot_be_told_apart_are_refused(
    labels: list[str], templates: list[str], said: str
) -> None:
    with pytest.raises(QueryError, match=said):
        classify([], labels, ColourEncoder(), templates=templates)


def test_markers_whose_sign_is_all_that_differs_are_two_labels() -> None:
    assert list(classify([], ["HER2+", "HER2-", "HER2"], ColourEncoder())) == []


def test_an_open_encoder_keeps_its_resize_mode() -> None:
    with pytest.raises(EncoderError, match="resize mode of its own"):
        classify([], LABELS, ColourEncoder(), resize="pad")


def test_an_encoder_of_captions_alone_is_refused() -> None:
    reader = ColourEncoder()
    reader.reads_images = False
    with pytest.raises(EncoderError, match="colours: reads captions only"):
        classify([], LABELS, reader)


class BlindEncoder(ColourEncoder):
    """Divides by zero."""

    def encode_images(self, pixels: np.ndarray) -> Vectors:
        return np.full((len(pixels), self.dim), np.nan, np.float32)


class MuteEncoder(ColourEncoder):
    """Has nothing to say about words."""

    def encode_texts(self, tokens: Tokens) -> Vectors:
        return np.zeros((len(tokens), self.dim), np.float32)


def test_vectors_that_are_none_are_an_error_rather_than_a_probability() -> None:
    with pytest.raises(EncoderError, match=r"colours: gives a\.png a vector that is not finite"):
        list(classify([figure("a", COLOURS["red"])], LABELS, BlindEncoder()))
    with pytest.raises(EncoderError, match="gives a label a vector"):
        classify([], LABELS, MuteEncoder())


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Folders Red and dark_blue with two images each, one of them broken."""
    for folder, colour in (("Red", "red"), ("dark_blue", "blue")):
        (tmp_path / "data" / folder).mkdir(parents=True)
        for name in ("0.png", "1.png"):
            Image.new("RGB", (4, 4), colour).save(tmp_path / "data" / folder / name)
    (tmp_path / "data" / "Red" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return tmp_path / "data"


def test_files_and_folders_give_their_figures_in_order_under_the_paths_that_were_given(
    classes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(classes.parent)
    found = [figure.uri for figure in figures_at(["data/dark_blue/1.png", classes / "Red", "data"])]
    assert found == [
        "data/dark_blue/1.png",
        f"{classes}/Red/0.png",
        f"{classes}/Red/1.png",
        *("data/Red/0.png", "data/Red/1.png", "data/dark_blue/0.png", "data/dark_blue/1.png"),
    ]


def test_a_folder_with_a_table_gives_the_images_of_the_table(classes: Path) -> None:
    (classes / "captions.csv").write_text("image,caption\ndark_blue/1.png,something blue\nRed/9.png,lost\n")
    first, lost = figures_at([classes])
    assert isinstance(first, Figure)
    assert first.uri == f"{classes}/dark_blue/1.png"
    assert isinstance(lost, Skip)


def test_a_path_without_anything_is_refused_before_anything_is_read(classes: Path, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="nowhere: there is no such file or folder"):
        figures_at([classes, tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="no images"):
        figures_at([tmp_path / "empty"])


def test_a_file_that_cannot_be_read_is_a_skip(classes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = figures_at([classes / "Red" / "0.png"])
    (classes / "Red" / "0.png").unlink()
    assert [figure.reason for figure in figures if isinstance(figure, Skip)] == ["image cannot be read"]


def test_a_folder_named_like_a_label_or_its_alias_tells_the_truth(
    classes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = Truth(["red", "Dark blue"], known_as={"az_ure": "dark-blue"})
    assert truth.of("data/Red/0.png") == 0
    assert truth.of("data/dark_blue/0.png") == 1
    assert truth.of("AZ ure/0.png") == 1
    assert truth.of("red/scans/0.png") is None
    monkeypatch.chdir(classes / "dark_blue")
    assert truth.of("0.png") == 1


def test_a_table_tells_the_truth_by_path_or_by_the_end_of_it(tmp_path: Path) -> None:
    table = tmp_path / "truth.csv"
    table.write_text("file_name,label\n./a/0.png,red\nb/0.png,Blue\n0.png,green\nb/0.png,blue\n")
    truth = Truth(LABELS, table=table)
    assert [truth.of(uri) for uri in ("data/a/0.png", "b/0.png", "/x/b/0.png", "c/0.png", "c/1.png")] == [
        0,
        2,
        2,
        1,
        None,
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,finding\na.png,red\n", "needs the columns image and label, and has image, finding"),
        ("image,label\na.png,red\nb.png,pink\n", "row 2 has the label pink, which is none of red, green, blue"),
        ("image,label\na.png,red\na.png,blue\n", "row 2 gives a.png a second label, blue"),
        ("image,label\na.png\n", "row 1 cannot be used .row has too few cells."),
    ],
)
def test_a_table_of_truth_that_cannot_be_used_names_the_row(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text(text)
    with pytest.raises(QueryError, match=said):
        Truth(LABELS, table=tmp_path / "truth.csv")


@pytest.mark.parametrize("name", classify_names())
def test_every_preset_can_be_asked_with_its_two_templates(name: str) -> None:
    preset = classify_config(name)
    assert len(preset.templates) == 2
    assert preset.templates[1] == "{} presented in image"
    assert Truth(preset.labels, known_as=preset.known_as).of(f"{preset.labels[-1]}/0.png") == len(preset.labels) - 1
    assert list(classify([], preset.labels, ColourEncoder(), templates=preset.templates)) == []


def test_the_presets_are_the_five_of_the_paper() -> None:
    assert classify_names() == ["lc25000-colon", "lc25000-lung", "pcam", "rsna", "tcga-til"]
    with pytest.raises(QueryError, match="mnist: no such preset; use one of lc25000-colon"):
        classify_config("mnist")


def test_images_are_classified_as_people_hold_them(tmp_path: Path) -> None:
    red = Image.new("RGB", (9, 9), "red")
    path = tmp_path / "red.png"
    red.save(path)
    for one in (path, str(path), path.read_bytes(), red, np.asarray(red), tmp_path):
        (answer,) = classify(one, LABELS, ColourEncoder())
        assert isinstance(answer, Prediction)
        assert answer.best == "red"
        assert "red" in repr(answer)
    mixed = [path, red, figure("a", COLOURS["blue"])]
    assert [one.best for one in classify(mixed, LABELS, ColourEncoder(), templates="a {} field")] == [
        "red",
        "red",
        "blue",
    ]
    with pytest.raises(QueryError, match=r"none\.png: there is no such file"):
        list(classify(["none.png"], LABELS, ColourEncoder()))
    with pytest.raises(QueryError, match="an image is a path, bytes, a PIL image or an array, not int"):
        list(classify([7], LABELS, ColourEncoder()))  # type: ignore[list-item]
