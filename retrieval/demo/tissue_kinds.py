"""How stained sections and blood films may look and what is said of them."""

from __future__ import annotations

from retrieval.demo.kind import FigureKind
from retrieval.demo.tissue import NUCLEI, STAINS, section, smear

KINDS = (
    FigureKind(
        name="stained section",
        modality="histology",
        options={
            "stain": tuple(STAINS),
            "architecture": ("glands", "fibres", "fat", "vessel", "plain"),
            "nuclei": tuple(NUCLEI),
            "bar": ("50 µm", "100 µm", "none"),
            "organ": ("colon", "kidney", "breast", "skin", "prostate", "uterus", "thyroid"),
        },
        principal=("stain", "architecture", "nuclei"),
        draw=section,
        leads=(
            (
                "[Histology|Histological section|Photomicrograph|Light micrograph] of {organ} [tissue|] with "
                "{architecture} and {nuclei} nuclei, {stain}"
            ),
            "{stain} [section|slide] of the {organ}: {architecture}, {nuclei} nuclei",
            (
                "{organ} [biopsy|specimen|tissue section] [showing|with] {architecture} ({stain}; {nuclei} "
                "[cellularity|nuclei])"
            ),
            "{architecture} in {stain} {organ} [tissue|section], nuclei {nuclei}",
        ),
        clauses=(
            "[Nuclei appear|The nuclei are] {tint}",
            "[The background is|Stroma:] {back}",
            "{bar}",
            "[Cells are|Cellularity is] {nuclei}",
        ),
        derive=lambda a: {"tint": str(a["stain"]), "back": str(a["stain"])},
        words={
            "stain": {
                "H&E": "[H&E|haematoxylin and eosin|hematoxylin-eosin]-stained",
                "trichrome": "[Masson trichrome|trichrome]-stained",
                "PAS": "[PAS|periodic acid-Schiff]-stained",
                "DAB": "[DAB immunohistochemistry|DAB-immunostained|brown immunostained]",
                "silver": "[silver-stained|silver-impregnated]",
                "toluidine blue": "[toluidine blue-stained|toluidine blue]",
            },
            "tint": {
                "H&E": "[purple|violet]",
                "trichrome": "[dark red|red]",
                "PAS": "[magenta|purple-red]",
                "DAB": "brown",
                "silver": "black",
                "toluidine blue": "[deep blue|dark blue]",
            },
            "back": {
                "H&E": "pink",
                "trichrome": "blue",
                "PAS": "pale pink",
                "DAB": "[beige|pale]",
                "silver": "[yellowish|pale yellow]",
                "toluidine blue": "light blue",
            },
            "architecture": {
                "glands": "[round glands|glandular structures|glands with open lumina]",
                "fibres": "[wavy fibre bundles|parallel collagen fibres|fibrous stroma in waves]",
                "fat": "[fat cells|adipocytes|round empty adipocytes]",
                "vessel": "[a blood vessel|a large vessel in cross-section|a thick-walled vessel with erythrocytes]",
                "plain": "[solid tissue|homogeneous parenchyma|uniform parenchyma without glands]",
            },
            "nuclei": {
                "sparse": "[sparse|few]",
                "moderate": "[moderate|moderately many]",
                "dense": "[dense|crowded|abundant]",
            },
            "bar": {"50 µm": "[Scale bar|Bar:] 50 µm", "100 µm": "[Scale bar|Bar:] 100 µm", "none": ""},
        },
        sizes=((480, 360), (400, 400), (440, 330), (520, 360)),
        weight=1.5,
    ),
    FigureKind(
        name="blood film",
        modality="histology",
        options={
            "shape": ("normal", "sickle", "target", "spherocytes"),
            "white_cells": (0, 1, 2, 3, 4),
            "white_type": ("neutrophil", "lymphocyte"),
            "red_cells": ("few", "many"),
        },
        principal=("shape", "white_cells", "white_type"),
        derive=lambda a: {"white_type": a["white_type"] if a["white_cells"] else "none"},
        draw=smear,
        leads=(
            "[Peripheral blood smear|Blood smear|Blood film] with {red_cells} {shape} and {white_cells} {white_type}",
            "{shape} [on|in] a [blood film|peripheral blood smear|Giemsa-stained smear], {white_cells} {white_type}",
            "[Giemsa-stained|Wright-stained] [blood film|smear]: {red_cells} {shape}, {white_cells} {white_type}",
        ),
        clauses=(
            "[Red cells are|Erythrocytes are] {red_cells}",
            "{white_cells} {white_type} [are in the field|can be seen]",
        ),
        words={
            "shape": {
                "normal": "[normal|round biconcave] [red cells|erythrocytes|red blood cells]",
                "sickle": "[sickle cells|sickle-shaped erythrocytes|sickled red cells]",
                "target": "[target cells|codocytes|bull's-eye red cells]",
                "spherocytes": "[spherocytes|spherical red cells without central pallor]",
            },
            "white_type": {
                "neutrophil": "{white_cells~neutrophil}[| with lobed nuclei]",
                "none": "[leukocytes|white cells]",
                "lymphocyte": "{white_cells~lymphocyte}[| with round nuclei]",
            },
            "white_cells": {0: "no"},
        },
        sizes=((400, 400), (480, 360), (420, 320)),
    ),
)
