"""retrieval classify as a user meets it."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from PIL import Image

from retrieval.cli import main
from retrieval.types import Tokens
from tests.doubles import COLOUR_ENCODER, ColourEncoder


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Class folders red (one image of it blue, one broken) and blue, and one image elsewhere; no model is opened."""
    monkeypatch.setenv("RETRIEVAL_ENCODER", COLOUR_ENCODER)
    monkeypatch.chdir(tmp_path)
    for name, colour in (("red/0", "red"), ("red/1", "blue"), ("blue/0", "blue"), ("other/0", "green")):
        path = tmp_path / "data" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), colour).save(path)
    (tmp_path / "data" / "red" / "bad.png").write_bytes(b"words")
    return tmp_path / "data"


COLOURS = ["--labels", "red, blue,green"]


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_images_get_their_best_labels_and_folders_of_classes_are_measured(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", "data", *COLOURS, "-k", "2"]) == 0
    lines = said(capsys)
    assert lines[0].startswith("data/blue/0.png: blue 1.000, ")
    assert lines[0].count(",") == 1
    assert lines[4] == "data/red/bad.png: skipped, not an image"
    assert lines[5:] == [
        "",
        "4 images classified with tests.doubles:ColourEncoder, 1 skipped (1 not an image)",
        "N 3, accuracy 0.667, balanced accuracy 0.750, AUROC 0.750 (mean of one label against the rest)",
        "not measured: 1 images whose label is not known",
        "no image is known to be green: left out of the means over labels",
        "true, down; predicted, across  1  2  3",
        "1 red                          1  1  0",
        "2 blue                         0  1  0",
        "3 green                        0  0  0",
    ]


def test_json_holds_everything_and_nothing_else_is_printed(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", "data", *COLOURS, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["labels"] == ["red", "blue", "green"]
    found = [(image["image"], image["label"], image["truth"]) for image in document["images"]]
    assert found[:2] == [("data/blue/0.png", "blue", "blue"), ("data/other/0.png", "green", None)]
    assert sum(document["images"][0]["probabilities"]) == pytest.approx(1)
    assert document["skips"] == [{"image": "data/red/bad.png", "reason": "not an image"}]
    assert document["measures"]["images"] == 3
    assert document["measures"]["confusion"]["true_by_predicted"] == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_out_is_a_table_of_all_probabilities(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "labels.txt").write_text('\ufeffred\n\nblue, or "bluish"\n', encoding="utf-8")
    arguments = ["--labels-file", "data/labels.txt", "--out", "p.csv", "--json"]
    assert main(["classify", "data/red/0.png", "data/blue/0.png", *arguments]) == 0
    with open("p.csv", encoding="utf-8", newline="") as file:
        header, first, second = csv.reader(file)
    assert header == ["image", "red", 'blue, or "bluish"']
    assert (first[0], second[0]) == ("data/red/0.png", "data/blue/0.png")
    printed = [image["probabilities"] for image in json.loads(capsys.readouterr().out)["images"]]
    assert [[float(cell) for cell in row[1:]] for row in (first, second)] == printed


def test_a_table_of_truth_goes_before_the_folders(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("truth.csv").write_text("image,label\nred/1.png,blue\ndata/red/0.png,red\n")
    assert main(["classify", "data", "--labels", "red,blue", "--truth", "truth.csv"]) == 0
    lines = said(capsys)
    assert "N 2, accuracy 1.000, balanced accuracy 1.000, AUROC 1.000 (positive: blue)" in lines
    assert "not measured: 2 images whose label is not known" in lines


class Listening(ColourEncoder):
    asked: ClassVar[list[str]] = []

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        self.asked.extend(texts)
        return super().tokenize(texts)


def test_a_question_makes_answers_of_the_labels(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Listening.asked.clear()
    monkeypatch.setenv("RETRIEVAL_ENCODER", f"{__name__}:Listening")
    assert main(["classify", "data/red/0.png", "--question", "Which colour?", "--labels", "red,blue"]) == 0
    assert Listening.asked == ["Which colour? red", "Which colour? blue"]
    assert said(capsys)[0] == "data/red/0.png: red 1.000, blue 0.000"


def test_presets_are_listed_and_used(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", "--presets"]) == 0
    assert "rsna           normal lung; pneumonia" in said(capsys)
    (data / "red").rename(data / "NORMAL")
    (data / "blue").rename(data / "pneumonia")
    assert main(["classify", "data", "--preset", "rsna", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["templates"] == ["a photo of {}", "{} presented in image"]
    assert [image["truth"] for image in document["images"]] == ["normal lung", "normal lung", None, "pneumonia"]


def test_a_request_of_the_endpoint_is_answered_from_a_file_and_from_standard_input(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = base64.b64encode((data / "blue" / "0.png").read_bytes()).decode()
    text = json.dumps({"input_data": {"columns": ["image", "text"], "index": [0], "data": [[image, "red, blue"]]}})
    Path("request.json").write_text(text)
    assert main(["classify", "--table", "request.json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer[0]["labels"] == ["red", "blue"]
    assert answer[0]["probs"] == pytest.approx([0, 1], abs=1e-6)
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main(["classify", "--table", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == answer


def test_where_no_image_can_be_read_there_is_no_table_and_the_reason_is_said(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", "data/red/bad.png", *COLOURS, "--out", "p.csv"]) == 2
    assert "none of the 1 images can be read (1 not an image)" in capsys.readouterr().err
    assert [path.name for path in data.parent.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], "nothing to classify; give image files"),
        (["data"], "give one of --labels, --labels-file and --preset"),
        (["data", *COLOURS, "--preset", "rsna"], "give one of --labels, --labels-file and --preset"),
        (["data", "--preset", "mnist"], "mnist: no such preset"),
        (["data", "--labels", "red"], "at least two labels"),
        (["data", "--labels-file", "nowhere.txt"], "nowhere.txt: cannot be read (No such"),
        (["nowhere.png", *COLOURS], "nowhere.png: there is no such file or folder"),
        (["data", *COLOURS, "--question", "what?", "--template", "a {}"], "leave --template and --preset away"),
        (["data", *COLOURS, "--template", "a photo"], "has no {} for the label"),
        (["data", *COLOURS, "--truth", "nowhere.csv"], "nowhere.csv: the table cannot be read"),
        (["data", *COLOURS, "--truth", "other.csv"], "other.csv: names none of the images"),
        (["data", *COLOURS, "--out", "no/p.csv"], "choose a place that can be written"),
        (["--table", "nowhere.json"], "nowhere.json: cannot be read as text"),
        (["--table", "other.csv"], "other.csv: not valid JSON"),
        (["--table", "other.csv", "--out", "p.csv"], "--table brings its own images and labels"),
        (["--table", "empty.json"], "the request has no table"),
        (["--table", "empty.json", "--template", "a photo"], "retrieval: the template 'a photo' has no {}"),
        (["--table", "other.csv", *COLOURS], "--table brings its own images and labels"),
    ],
)
def test_a_wrong_request_gets_one_line_and_exit_code_2(
    argv: list[str], expected: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("other.csv").write_text("image,label\nelsewhere.png,red\n")
    Path("empty.json").write_text("{}")
    assert main(["classify", *argv]) == 2
    line = capsys.readouterr().err.strip().splitlines()
    assert len(line) == 1
    assert expected in line[0]
