"""How charts of categories may look and what is said of them."""

from __future__ import annotations

from retrieval.demo.bars import TREND_WORDS, TRENDS, bar_chart, box_plot, grouped_bars
from retrieval.demo.chart_terms import GROUPS, QUANTITIES
from retrieval.demo.kind import FigureKind
from retrieval.demo.palette import NAMES

CHART_SIZES = ((480, 360), (420, 400), (560, 360), (360, 360), (400, 480))

KINDS = (
    FigureKind(
        name="bar chart",
        modality="chart",
        options={
            "colour": NAMES,
            "trend": TRENDS,
            "bars": (3, 4, 5, 6, 7, 8),
            "orientation": ("vertical", "vertical", "horizontal"),
            "errors": ("error bars", "no error bars"),
            "style": ("open", "grid", "boxed"),
            "quantity": tuple(QUANTITIES),
            "groups": tuple(GROUPS),
        },
        principal=("colour", "trend", "orientation"),
        draw=bar_chart,
        leads=(
            (
                "[Bar chart|Bar graph|Bar plot|Column plot] of {quantity} in {bars} {groups} ({colour} "
                "{orientation} bars)"
            ),
            "{quantity} [in|across|for] {bars} {groups}, [shown|drawn|plotted] as {colour} {orientation} bars",
            "{bars} {colour} {orientation} bars [show|give|compare] {quantity} [by|across] {groups}; it {trend}",
            (
                "{quantity} {trend} ([{orientation} {colour} bars|{colour} {orientation} bar chart], n = "
                "{bars} {groups})"
            ),
        ),
        clauses=(
            "[The value|{quantity}] {trend}",
            "[Bars are|The chart is] {orientation}, [with|drawn with] {errors}",
            "[There are|The chart has] {bars:bar} [in total|]",
        ),
        words={
            "trend": TREND_WORDS,
            "errors": {
                "error bars": "[error bars|whiskers (mean ± SD)|SEM error bars]",
                "no error bars": "no error bars",
            },
        },
        sizes=CHART_SIZES,
    ),
    FigureKind(
        name="grouped bar chart",
        modality="chart",
        options={
            "first": ("blue", "green", "purple", "black", "teal"),
            "second": ("orange", "red", "pink", "yellow", "brown"),
            "series": (2, 2, 3),
            "groups_shown": (2, 3, 4, 5),
            "higher": ("first", "second"),
            "stars": ("asterisks", "none"),
            "quantity": tuple(QUANTITIES),
            "groups": tuple(GROUPS),
        },
        principal=("first", "second", "higher"),
        derive=lambda a: {"third": "grey" if a["series"] == 3 else "none"},
        draw=grouped_bars,
        leads=(
            (
                "[Grouped|Clustered] [bar chart|bar graph] of {quantity} in {groups_shown} {groups} ({series} "
                "series: {first} [and|versus] {second})"
            ),
            (
                "{quantity} in {groups_shown} {groups}, [{first} against {second} bars|{first} bars beside "
                "{second} ones], {higher}"
            ),
            (
                "[Comparison of|] {quantity} between {first} and {second} bars [over|across] {groups_shown} "
                "{groups}; {higher}"
            ),
        ),
        clauses=(
            "Overall, {higher}",
            "[Error bars|Whiskers] [show|indicate] [SD|SEM|standard deviation]",
            "{stars}",
            "{third}",
        ),
        words={
            "third": {
                "grey": "[The third bar of each cluster is grey|A third series is grey]",
                "none": "[Bars come in pairs|Each group has two bars]",
            },
            "higher": {
                "first": "{first} bars are [higher|taller] [in every group|]",
                "second": "{second} bars are [higher|taller] [in every group|]",
            },
            "stars": {
                "asterisks": (
                    "[Asterisks mark significant differences|Significance is marked with asterisks (*p < "
                    "0.05, **p < 0.01)]"
                ),
                "none": "",
            },
        },
        sizes=CHART_SIZES,
    ),
    FigureKind(
        name="box plot",
        modality="chart",
        options={
            "colour": (*NAMES, "mixed"),
            "trend": TRENDS,
            "boxes": (3, 4, 5, 6, 7),
            "points": ("individual points", "no points"),
            "style": ("open", "grid", "boxed"),
            "quantity": tuple(QUANTITIES),
            "groups": tuple(GROUPS),
        },
        principal=("colour", "trend"),
        draw=box_plot,
        leads=(
            "[Box plot|Box-and-whisker plot|Boxplots] of {quantity} [across|in] {boxes} {groups}, {colour}",
            "Distribution of {quantity} in {boxes} {groups} ([box plot|box-and-whisker plot], {colour})",
            "[Box plots|Boxes] ({colour}, n = {boxes}) [comparing|of] {quantity}; the median {trend}",
        ),
        clauses=(
            "The median {trend}",
            "[Boxes span|The box is] the interquartile range, [the line|the thick line] the median",
            "{points}",
        ),
        words={
            "trend": TREND_WORDS,
            "colour": {**{n: f"{n} boxes" for n in NAMES}, "mixed": "[boxes of different colours|multicoloured boxes]"},
            "points": {
                "individual points": "[Black dots|Dots] are individual [samples|measurements]",
                "no points": "[Individual points are not shown|]",
            },
        },
        sizes=CHART_SIZES,
    ),
)
