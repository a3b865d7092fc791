"""How diagrams may look and what is said of them."""

from __future__ import annotations

from retrieval.demo.diagrams import CYCLES, STEPS, cycle, flow_chart, pathway, venn
from retrieval.demo.kind import FigureKind

COLOURS = ("blue", "orange", "green", "red", "purple", "teal")
KINDS = (
    FigureKind(
        name="flow chart",
        modality="diagram",
        options={
            "colour": COLOURS,
            "boxes": (3, 4, 5, 6, 7),
            "direction": ("downward", "rightward"),
            "shape": ("boxes", "rounded boxes", "ovals", "diamonds"),
            "branch": ("side box", "none"),
            "topic": tuple(STEPS),
        },
        principal=("colour", "direction", "shape"),
        draw=flow_chart,
        leads=(
            "[Flow chart|Flow diagram|Flowchart] of {topic}: {boxes} {colour} {shape} {direction}, {branch}",
            "[Workflow|Overview|Scheme] of {topic} in {boxes} steps ({colour} {shape}, {direction})",
            "{boxes} {colour} {shape} {direction} [summarise|outline|describe] {topic}",
            "{topic}: [flow chart|workflow], {boxes} {colour} {shape}",
        ),
        clauses=(
            "The [chart|diagram] has {branch}",
            "[Arrows connect|Arrows lead from step to step through] {boxes} steps",
            "[It runs|The arrows run] {direction}",
        ),
        words={
            "direction": {
                "downward": "[from top to bottom|running downwards|one below the other]",
                "rightward": "[from left to right|in a row|side by side]",
            },
            "shape": {
                "boxes": "[boxes|rectangles]",
                "rounded boxes": "[rounded boxes|rounded rectangles]",
                "ovals": "[ovals|ellipses]",
                "diamonds": "[diamonds|diamond shapes]",
            },
            "branch": {
                "side box": "[a side box for exclusions|an exclusion box branching off]",
                "none": "no [side branch|branches]",
            },
        },
        sizes=((560, 240), (600, 260), (480, 260)),
    ),
    FigureKind(
        name="pathway",
        modality="diagram",
        options={
            "colour": COLOURS,
            "arms": (1, 2, 3),
            "proteins": (4, 5, 6, 7, 8),
            "membrane": ("membrane", "none"),
            "inhibition": ("inhibition", "none"),
            "outcome": ("proliferation", "apoptosis", "inflammation", "differentiation", "migration"),
        },
        principal=("colour", "arms", "membrane", "inhibition"),
        draw=pathway,
        leads=(
            (
                "[Signalling pathway|Schematic of a signalling pathway|Model of signal transduction] leading "
                "to {outcome}: {proteins} {colour} proteins in {arms:arm}, {inhibition}"
            ),
            (
                "{arms} signalling {arms~cascade} of {proteins} {colour} proteins "
                "{arms~[controls|leads to]/[control|lead to|converge on]} {outcome}"
            ),
            "[Schematic|Cartoon|Diagram] of {outcome} signalling ({arms:branch/branches}, {colour} ovals) {membrane}",
        ),
        clauses=(
            "[Signalling starts|The cascade begins] {membrane}",
            "[Note|The scheme has] {inhibition}",
            "[Arrows mean activation|Black arrows: activation]",
        ),
        words={
            "membrane": {
                "membrane": "at the [plasma membrane|cell membrane|lipid bilayer]",
                "none": "without [a membrane|receptors at a membrane]",
            },
            "inhibition": {
                "inhibition": (
                    "[one red inhibitory link|inhibition shown by a red T-bar|a red blunt line for inhibition]"
                ),
                "none": "only activating arrows",
            },
        },
        sizes=((400, 400), (480, 400), (360, 420)),
    ),
    FigureKind(
        name="cycle diagram",
        modality="diagram",
        options={
            "colour": COLOURS,
            "stages": (3, 4, 5, 6, 7),
            "turn": ("clockwise", "anticlockwise"),
            "shape": ("circles", "boxes"),
            "topic": tuple(CYCLES),
        },
        principal=("colour", "stages", "turn"),
        draw=cycle,
        leads=(
            "[Cycle diagram|Circular diagram|Scheme] of {topic} with {stages} {colour} stages, {turn}",
            "{topic} [drawn|shown] as a [ring|cycle] of {stages} {colour} {shape} ({turn} arrows)",
            "{stages} stages of {topic} [in a circle|as a cycle], {colour} {shape}, {turn}",
        ),
        clauses=("[Arrows run|The direction is] {turn}", "[Stages are|Each stage is shown by] {shape}"),
        words={
            "shape": {"circles": "[circles|discs]", "boxes": "[rounded boxes|boxes]"},
            "turn": {"anticlockwise": "[anticlockwise|counterclockwise]"},
        },
        sizes=((400, 400), (440, 380), (360, 360)),
    ),
    FigureKind(
        name="Venn diagram",
        modality="diagram",
        options={
            "first": ("blue", "green", "purple", "teal"),
            "second": ("red", "orange", "pink", "yellow"),
            "third": ("green", "grey", "brown", "blue"),
            "sets": (2, 3),
            "overlap": ("small", "large"),
            "members": ("genes", "proteins", "patients", "metabolites", "species"),
        },
        derive=lambda a: {
            "third": {"blue": "green", "green": "grey", "purple": "brown", "teal": "blue"}[str(a["first"])],
            "three": int(a["sets"]),
        },
        principal=("first", "second", "sets"),
        draw=venn,
        leads=(
            "Venn diagram of {members} [shared by|in|common to] {sets} sets ({three}), {overlap} overlap",
            (
                "[Overlap|Intersection] of {members} between {sets} sets, {three} [circles|discs]; {overlap} "
                "[intersection|overlap]"
            ),
            "{three} [circles|Venn circles] with {overlap} overlap ({members}, {sets} sets)",
        ),
        clauses=(
            "[The circles share|The intersection is] a {overlap} area",
            "[Numbers count|Figures are numbers of] {members}",
        ),
        words={
            "three": {2: "{first} and {second}", 3: "{first}, {second} and {third}"},
            "overlap": {"small": "[small|minor]", "large": "[large|wide]"},
        },
        sizes=((420, 360), (400, 400), (480, 360)),
    ),
)
