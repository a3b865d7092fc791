"""How sections may look and what is said of them."""

from __future__ import annotations

from retrieval.demo.kind import FigureKind
from retrieval.demo.tomography import abdomen, chest, head

CT = "[axial|transverse|] [CT|computed tomography] [scan|image|slice|section]"
LOOKS = {
    "bright": "[hyperdense|bright|high-attenuation]",
    "dark": "[hypodense|dark|low-attenuation]",
    "ring": "[ring-enhancing|rim-enhancing]",
}
NUMBER = {1: "[a single|one|a solitary]"}
KINDS = (
    FigureKind(
        name="head CT",
        modality="CT",
        options={
            "side": ("left", "right"),
            "region": ("frontal", "parietal", "occipital"),
            "look": ("bright", "dark", "ring"),
            "size": ("small", "medium", "large"),
            "lesions": (1, 1, 1, 2, 3),
            "ventricles": ("normal", "enlarged"),
        },
        principal=("side", "region", "look"),
        draw=head,
        leads=(
            CT + " of the [head|brain] [showing|with|demonstrating] "
            "{lesions} {size} {look} {lesions~lesion} in the {side} {region} lobe",
            "{lesions} {size} {look} {side} {region} {lesions~lesion} on [head|brain|cranial] CT",
            (
                "[Brain|Head|Cranial] CT: {side} {region} {look} {lesions~lesion} ({size}, {lesions} in "
                "number), {ventricles} ventricles"
            ),
            "{side} {region} {look} {lesions~lesion}",
        ),
        clauses=(
            "[The lateral ventricles are|Ventricles are] {ventricles}",
            "[R marks the patient's right|The patient's right side (R) is on the left of the image]",
            "[The skull is intact|The midline is not shifted|]",
        ),
        words={
            "look": LOOKS,
            "lesions": NUMBER,
            "size": {"medium": "[medium-sized|moderate-sized]"},
            "ventricles": {"normal": "[normal|normal-sized]", "enlarged": "[enlarged|dilated|widened]"},
        },
        sizes=((360, 400), (400, 440), (320, 360), (420, 420)),
    ),
    FigureKind(
        name="chest CT",
        modality="CT",
        options={
            "side": ("left", "right"),
            "region": ("anterior", "central"),
            "look": ("solid", "cavitary"),
            "size": ("small", "medium", "large"),
            "lesions": (1, 1, 2, 3),
            "effusion": ("effusion", "none"),
        },
        principal=("side", "look", "size", "effusion"),
        draw=chest,
        leads=(
            CT + " of the [chest|thorax] with "
            "{lesions} {size} {look} {lesions~lesion} in the {side} lung[| ({region} part)]",
            (
                "[Chest|Thoracic] CT [showing|revealing] {lesions} {look} {size} {lesions~lesion} of the "
                "{side} lung, {effusion}"
            ),
            "{side} lung {lesions~lesion}: {lesions} {size}, {look}, {region}; [lung window|chest CT]",
            "{lesions} {size} {look} pulmonary {lesions~lesion} [on|at] the {side}",
        ),
        clauses=(
            "There is {effusion}",
            "The {lesions~lesion lies/lesions lie} in the {region} lung",
            "[Heart and aorta appear normal|]",
        ),
        words={
            "lesions": NUMBER,
            "size": {"medium": "[medium-sized|moderate-sized]"},
            "look": {"solid": "[solid|homogeneous|dense]", "cavitary": "[cavitary|cavitating|hollow, thick-walled]"},
            "effusion": {
                "effusion": "[a|an associated] pleural effusion on the {side}",
                "none": "no [pleural|] effusion",
            },
            "region": {"anterior": "[anterior|ventral]", "central": "central"},
        },
        sizes=((480, 360), (520, 400), (440, 330)),
    ),
    FigureKind(
        name="abdominal CT",
        modality="CT",
        options={
            "organ": ("liver", "liver", "right kidney", "left kidney", "spleen"),
            "look": ("bright", "dark", "ring"),
            "size": ("small", "medium", "large"),
            "lesions": (1, 1, 2, 3, 4),
        },
        principal=("organ", "look", "size"),
        draw=abdomen,
        leads=(
            CT + " of the [abdomen|upper abdomen] with {lesions} {size} {look} {lesions~lesion} in the {organ}",
            (
                "Abdominal [CT|CT scan|CT section] [showing|demonstrating] {lesions} {size} {look} "
                "{lesions~lesion} of the {organ}"
            ),
            "{organ} {lesions~lesion}: {lesions}, {size}, {look} on [contrast-enhanced|axial|abdominal] CT",
            "{look} {organ} {lesions~lesion} ({lesions}, {size})",
        ),
        clauses=(
            "[Liver, spleen and both kidneys|Liver, stomach, spleen and kidneys] are [seen|visible|in the section]",
            "[R: right|The liver is on the left of the picture]",
        ),
        words={"look": LOOKS, "lesions": NUMBER, "size": {"medium": "[medium-sized|moderate-sized]"}},
        sizes=((480, 360), (520, 400), (440, 330)),
    ),
)
