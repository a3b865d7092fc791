"""The `classify` command: the label that describes an image best."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.cli.options import at_least, command, default_encoder, say
from retrieval.errors import QueryError
from retrieval.files import read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from retrieval.classification.classify import Prediction
    from retrieval.classification.label_metrics import ClassificationReport
    from retrieval.types import Skip


def declare(commands: Any) -> None:
    classify = command(
        commands,
        "classify",
        run,
        "say which of some labels describes an image best, without training; measure it where the labels are known",
        'retrieval classify scans/ --labels "chest X-ray,brain MRI,abdominal CT" --out probabilities.csv',
    )
    classify.add_argument(
        "images",
        nargs="*",
        metavar="IMAGE",
        help="image file or folder of images; those in a folder named like a label are known to have it",
    )
    classify.add_argument("--labels", metavar="LIST", help="what to choose from, separated by commas")
    classify.add_argument("--labels-file", metavar="FILE", help="the labels, one a line; - reads standard input")
    classify.add_argument("--preset", metavar="NAME", help="labels and templates of a published benchmark")
    classify.add_argument("--presets", action="store_true", help="list the presets")
    classify.add_argument(
        "--template",
        action="append",
        metavar="T",
        help="sentence with {} for the label; repeatable, their mean counts (default: 'this is a photo of {}')",
    )
    classify.add_argument("--question", metavar="Q", help="ask with 'question label' instead: the labels are answers")
    classify.add_argument("--truth", metavar="FILE", help="table with the columns image and label: what is known")
    classify.add_argument(
        "--encoder", default=default_encoder(), help="encoder name or bundle folder (default: %(default)s)"
    )
    classify.add_argument(
        "--resize",
        choices=("crop", "pad", "squash"),
        help="how an image is fitted into the encoder's square (default: as the encoder was published)",
    )
    classify.add_argument("-k", type=at_least(1), default=3, help="labels printed an image (default: %(default)s)")
    classify.add_argument("--out", metavar="FILE", help="write all probabilities as CSV, one row an image")
    classify.add_argument("--json", action="store_true", help="print one JSON object with everything")
    classify.add_argument(
        "--table",
        metavar="FILE",
        help="answer a request of BiomedCLIP's Azure endpoint, as JSON; - reads it from stdin",
    )


def run(args: argparse.Namespace) -> None:
    if args.presets:
        print(presets())
    elif args.table:
        _run_table(args)
    else:
        _run_images(args)


def presets() -> str:
    from retrieval.classification.presets import classify_config, classify_names

    configs = [classify_config(name) for name in classify_names()]
    width = max(len(config.name) for config in configs)
    return "\n".join(
        f"{config.name:<{width}}  {'; '.join(config.labels)}\n"
        f"{'':<{width}}  as {' and '.join(map(repr, config.templates))}\n"
        f"{'':<{width}}  {config.about}"
        for config in configs
    )


def _run_table(args: argparse.Namespace) -> None:
    from retrieval.classification.azure_table import classify_table

    beside = ("labels", "labels_file", "preset", "question", "truth", "out")
    if args.images or any(getattr(args, name) for name in beside):
        raise QueryError("--table brings its own images and labels; leave the other ones, --truth and --out away")
    try:
        request = json.loads(_request_text(args.table))
    except ValueError as error:
        raise QueryError(f"{args.table}: not valid JSON ({error}); give a request with input_data") from error
    answer = classify_table(request, args.encoder, templates=args.template or ("{}",), resize=args.resize)
    print(json.dumps(answer, ensure_ascii=False))


def _run_images(args: argparse.Namespace) -> None:
    from retrieval.classification.classify import classify
    from retrieval.classification.sources import figures_at
    from retrieval.classification.truth import Truth
    from retrieval.types import Skip

    if not args.images:
        raise QueryError("nothing to classify; give image files or folders of them, or --table FILE")
    labels, templates, known_as = _prompts(args)
    truth = Truth(labels, known_as=known_as, table=args.truth)
    figures = figures_at(args.images)
    predictions: list[Prediction] = []
    skips: list[Skip] = []
    with _csv(args.out, labels) as write:  # first, so that a place that cannot be written is known at once
        for answer in classify(figures, labels, args.encoder, templates=templates, resize=args.resize):
            if isinstance(answer, Skip):
                skips.append(answer)
                line = f"skipped, {answer.reason}"
            else:
                predictions.append(answer)
                write(answer)
                line = _best(answer, labels, args.k)
            if not args.json:
                print(f"{answer.uri}: {line}", flush=True)
        if not predictions:
            raise QueryError(f"none of the {len(skips)} images can be read ({_reasons(skips)}); give other files")
    known = [truth.of(prediction.uri) for prediction in predictions]
    if args.truth and not any(number is not None for number in known):
        raise QueryError(
            f"{args.truth}: names none of the images; its column image must hold their paths or file names"
        )
    report = _measures(predictions, known, labels)
    if args.json:
        document = {
            "encoder": args.encoder,
            "labels": labels,
            "templates": templates,
            "images": [
                {
                    "image": prediction.uri,
                    "label": labels[int(prediction.probabilities.argmax())],
                    "truth": None if number is None else labels[number],
                    "probabilities": prediction.probabilities.tolist(),
                }
                for prediction, number in zip(predictions, known, strict=True)
            ],
            "skips": [{"image": skip.uri, "reason": skip.reason} for skip in skips],
            "measures": report and report.to_json(),
        }
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return
    skipped = f", {len(skips)} skipped ({_reasons(skips)})" if skips else ""
    print(f"\n{len(predictions)} images classified with {args.encoder}{skipped}")
    if report:
        print(describe_report(report, unknown=known.count(None)))


def _prompts(args: argparse.Namespace) -> tuple[Sequence[str], Sequence[str], Mapping[str, str]]:
    """The labels, the templates, and what else the labels are known as."""
    from retrieval.classification.classify import TEMPLATE
    from retrieval.classification.presets import classify_config

    if sum(map(bool, (args.labels, args.labels_file, args.preset))) != 1:
        raise QueryError("which labels? give one of --labels, --labels-file and --preset; --presets lists the presets")
    if args.question and (args.template or args.preset):
        raise QueryError("--question is a template of its own; leave --template and --preset away")
    if args.preset:
        preset = classify_config(args.preset)
        return preset.labels, args.template or preset.templates, preset.known_as
    parts = args.labels.split(",") if args.labels else read_lines(args.labels_file, "one label a line")
    labels = [label for part in parts if (label := part.strip())]
    question = [f"{args.question.strip()} {{}}"] if args.question else None
    return labels, question or args.template or [TEMPLATE], {}


def _request_text(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(f"{path}: cannot be read as text ({error}); give another file") from error


@contextmanager
def _csv(path: str | None, labels: Sequence[str]) -> Iterator[Callable[[Prediction], object]]:
    """Give a function that writes a row; the file appears when all are written. Without a path nothing is written."""
    from retrieval.files import replacing

    if path is None:
        yield lambda prediction: None
        return
    with replacing(Path(path)) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", *labels])
        yield lambda prediction: rows.writerow([prediction.uri, *prediction.probabilities.tolist()])
    say(f"wrote {path}")


def _best(prediction: Prediction, labels: Sequence[str], k: int) -> str:
    shares = prediction.probabilities.tolist()
    best = sorted(range(len(labels)), key=lambda number: -shares[number])[:k]
    return ", ".join(f"{labels[number]} {shares[number]:.3f}" for number in best)


def _reasons(skips: Sequence[Skip]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in Counter(skip.reason for skip in skips).most_common())


def _measures(
    predictions: Sequence[Prediction], known: Sequence[int | None], labels: Sequence[str]
) -> ClassificationReport | None:
    import numpy as np

    from retrieval.classification.label_metrics import classification_report

    pairs = [(p.probabilities, number) for p, number in zip(predictions, known, strict=True) if number is not None]
    if not pairs:
        return None
    shares, numbers = zip(*pairs, strict=True)
    return classification_report(np.array(shares), np.array(numbers), labels)


def describe_report(report: ClassificationReport, unknown: int = 0) -> str:
    """The measures in a line, what they leave out, and the confusion matrix as an aligned table."""
    area = "-" if report.auroc is None else f"{report.auroc:.3f}"
    kind = f"positive: {report.positive}" if report.positive else "mean of one label against the rest"
    lines = [
        f"N {report.images}, accuracy {report.accuracy:.3f}, balanced accuracy {report.balanced_accuracy:.3f}, "
        f"AUROC {area} ({kind})"
    ]
    if unknown:
        lines.append(f"not measured: {unknown} images whose label is not known")
    if report.absent:
        lines.append(f"no image is known to be {'; '.join(report.absent)}: left out of the means over labels")
    cells = [["true, down; predicted, across", *(str(number + 1) for number in range(len(report.labels)))]]
    for number, (label, counts) in enumerate(zip(report.labels, report.confusion.tolist(), strict=True), start=1):
        cells.append([f"{number} {label}", *map(str, counts)])
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    for first, *counts in cells:
        numbers = (text.rjust(width) for text, width in zip(counts, widths[1:], strict=True))
        lines.append("  ".join([first.ljust(widths[0]), *numbers]))
    return "\n".join(lines)
