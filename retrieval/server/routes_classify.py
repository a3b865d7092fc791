"""Routes that say which of some labels describes an image best."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Body
from pydantic import Field

from retrieval.classification.azure_table import classify_table
from retrieval.classification.classify import (
    TEMPLATE,
    check_labels,
    check_templates,
    label_vectors,
    logit_scale,
    probabilities,
)
from retrieval.classification.presets import classify_config
from retrieval.errors import QueryError
from retrieval.server import response_models
from retrieval.server.hit_json import Json
from retrieval.server.problems import Limits, Refused, answers, refusals
from retrieval.server.request_models import Strict, Text, from_base64, prepared
from retrieval.server.served_index import OpenIndex
from retrieval.server.service import Served, Service
from retrieval.server.worker import ByWorker
from retrieval.shards.vectors import unit
from retrieval.types import Vectors


class Classification(Strict):
    """Exactly one of image and figure; labels, or a preset that brings its own."""

    labels: Annotated[list[Text], Field(default_factory=list, description="what to choose from")]
    image: Annotated[str | None, Field(description="the bytes of an image file, in base64")] = None
    figure: Annotated[Text | None, Field(description="the id of a figure of the index")] = None
    template: Annotated[Text | None, Field(description="a sentence with {} for the label")] = None
    preset: Annotated[Text | None, Field(description="labels and templates of a published benchmark")] = None


TABLE = {"input_data": {"columns": ["image", "text"], "index": [0], "data": [["<base64>", "chest X-ray, brain MRI"]]}}


def routes(service: Service) -> APIRouter:
    router = APIRouter(prefix="/api/indexes/{index}", tags=["labels"], responses=refusals(400, 404, 413, 422, 503))

    @router.post("/classify", summary="Label an image", responses=answers(response_models.Classified))
    async def classify(index: str, asked: Classification) -> Json:
        served = service.of(index)
        probs = await service.apart(_classify, asked, served, service.limits)
        return Json({"index": index, "digest": served.index.digest, "probs": probs})

    @router.post(
        "/score",
        summary="Label a table of images, as BiomedCLIP's Azure endpoint does",
        responses=answers(list[response_models.TableRow]),
    )
    async def score(index: str, request: Annotated[dict[str, Any], Body(examples=[TABLE])]) -> Json:
        served = service.of(index)
        return Json(await service.apart(_score, request, served, service.limits))

    return router


def _classify(asked: Classification, served: Served, limits: Limits) -> dict[str, float]:
    """The probability of each label."""
    labels, templates = asked.labels, [asked.template or TEMPLATE]
    if asked.preset is not None:
        preset = classify_config(asked.preset)
        labels, templates = labels or list(preset.labels), list(preset.templates)
    if asked.preset is not None and asked.template is not None:
        raise QueryError("a preset has templates of its own; leave template or preset out")
    if len(labels) > limits.queries or sum(map(len, [*labels, *templates])) > limits.text:
        raise Refused(413, f"more than {limits.queries} labels or {limits.text} characters of them; give fewer")
    check_labels(labels)
    check_templates(templates)
    encoder = ByWorker(served.worker, limits)
    image = _vector(asked, served.index, encoder, limits)
    classes = label_vectors(encoder, labels, templates)
    shares = probabilities(image, classes, logit_scale(encoder))[0]
    return dict(zip(labels, shares.tolist(), strict=True))


def _vector(asked: Classification, index: OpenIndex, encoder: ByWorker, limits: Limits) -> Vectors:
    """(1, dim) of the image, or of the figure's."""
    if (asked.image is None) == (asked.figure is None):
        raise QueryError("give either an image or a figure to label")
    if asked.image is not None:
        pixels = prepared(from_base64(asked.image, "image"), encoder, limits)
        return encoder.encode_images(pixels[None])
    place = index.built.find([asked.figure or ""]).get(asked.figure or "")
    if place is None or place[0] != "image":
        raise Refused(404, f"{asked.figure}: no figure with an image in {index.name}; ask for one of its figure ids")
    return unit(np.asarray(index.built.vectors("image")[place[1] : place[1] + 1]))


def _score(request: dict[str, Any], served: Served, limits: Limits) -> list[dict[str, Any]]:
    table = request.get("input_data")
    rows = table.get("data") if isinstance(table, dict) else None
    if isinstance(rows, list) and len(rows) > limits.queries:
        raise Refused(413, f"{len(rows)} rows; this server takes at most {limits.queries} at once")
    return classify_table(request, ByWorker(served.worker, limits), max_pixels=limits.pixels)
