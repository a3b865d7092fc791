"""How charts of numbers against numbers may look and what is said of them."""

from __future__ import annotations

from retrieval.demo.bar_kinds import CHART_SIZES
from retrieval.demo.chart_terms import QUANTITIES
from retrieval.demo.kind import Attributes, FigureKind
from retrieval.demo.line_charts import MARKS, SHAPES, draw_histogram, line_chart, scatter, survival, volcano
from retrieval.demo.palette import NAMES, SEQUENCES, colour_words


def line_colours(a: Attributes) -> Attributes:
    names = SEQUENCES[str(a["scheme"])][: int(a["series"])]
    return {"colour": names[0], "coloured": colour_words(names)}


KINDS = (
    FigureKind(
        name="line chart",
        modality="chart",
        options={
            "shape": SHAPES,
            "series": (1, 2, 3, 4, 5),
            "scheme": ("blue", "warm", "cool"),
            "marks": (*MARKS, "none"),
            "errors": ("error bars", "none", "none"),
            "style": ("open", "grid", "boxed"),
            "quantity": tuple(QUANTITIES),
            "against": ("time", "dose", "depth"),
        },
        principal=("shape", "series", "marks"),
        derive=line_colours,
        draw=line_chart,
        leads=(
            "[Line chart|Line graph|Line plot] of {quantity} [against|versus|over] {against}: {series:curve} {shape}",
            "{quantity} [as a function of|plotted against|over] {against} for {series:group}, {shape} ({coloured})",
            "[Time course|Course|Change] of {quantity} with {against} ({series:line}, {marks}), {shape}",
            "{series:curve} of {quantity} {shape} with {against}",
        ),
        clauses=(
            "[Data points are drawn as|Lines carry|Symbols:] {marks}",
            "[{series~The line is/The lines are}|{series~Colour/Colours}:] {coloured}",
            "{errors}",
        ),
        words={
            "shape": {
                "linear rise": "[rising linearly|increasing in a straight line|going up steadily]",
                "linear fall": "[falling linearly|decreasing in a straight line|going down steadily]",
                "saturation": "[rising quickly to a plateau|saturating|levelling off after a fast rise]",
                "decay": "[decaying exponentially|dropping fast, then slowly|in exponential decay]",
                "sigmoid": "[following a sigmoid|S-shaped|of sigmoidal shape]",
                "peak": "[with a single peak|peaking once|rising to one maximum and falling again]",
                "oscillation": "[oscillating|going up and down in waves|with periodic oscillations]",
            },
            "marks": {"none": "no markers"},
            "errors": {"error bars": "[Error bars show the SEM|Vertical bars are standard errors]", "none": ""},
        },
        sizes=CHART_SIZES,
    ),
    FigureKind(
        name="scatter plot",
        modality="chart",
        options={
            "colour": NAMES,
            "correlation": ("positive", "negative", "none"),
            "density": ("few", "many"),
            "marks": MARKS,
            "fill": ("filled", "open"),
            "fit": ("line", "none"),
            "style": ("open", "grid", "boxed"),
            "quantity": tuple(QUANTITIES),
            "against": ("age", "dose", "score"),
        },
        principal=("colour", "correlation", "marks"),
        draw=scatter,
        leads=(
            (
                "[Scatter plot|Scatterplot|Scatter diagram] of {quantity} [against|versus] {against} ({fill} "
                "{colour} {marks}), {correlation}"
            ),
            "{correlation} between {against} and {quantity} ({colour} {marks})",
            (
                "[Relationship|Association] [of|between] {quantity} and {against}: {correlation}; {density} "
                "{fill} {colour} {marks}"
            ),
        ),
        clauses=(
            "{fit}",
            "[There are|The plot has] {density} [points|data points]",
            "[Each|Every] {colour} [symbol|marker|point] is [one patient|one sample|one animal]",
        ),
        words={
            "correlation": {
                "positive": "[positive correlation|a positive relationship|positive linear association]",
                "negative": "[negative correlation|an inverse relationship|negative linear association]",
                "none": "[no correlation|no clear relationship|absence of correlation]",
            },
            "density": {"few": "[few|about twenty]", "many": "[many|over a hundred]"},
            "fit": {
                "line": "[The black line is the linear regression|Black line: linear fit]",
                "none": "[No regression line is drawn|]",
            },
            "against": {"score": "[clinical score|the clinical score]"},
        },
        sizes=CHART_SIZES,
    ),
    FigureKind(
        name="histogram",
        modality="chart",
        options={
            "colour": NAMES,
            "shape": ("normal", "bimodal", "right-skewed", "left-skewed", "uniform"),
            "bins": ("coarse", "fine"),
            "mean": ("line", "none"),
            "style": ("open", "grid", "boxed"),
            "quantity": tuple(QUANTITIES),
        },
        principal=("colour", "shape"),
        draw=draw_histogram,
        leads=(
            "[Histogram|Frequency histogram] of {quantity}: {shape} distribution, {bins} {colour} bins",
            "[Frequency distribution|Distribution] of {quantity} [is|was] {shape} ({colour} histogram)",
            (
                "{quantity} [follows|shows] a {shape} distribution [(histogram, {colour}, {bins} bins)|in "
                "this {colour} histogram]"
            ),
        ),
        clauses=("{mean}", "[Bins are|The binning is] {bins}"),
        words={
            "shape": {
                "normal": "[normal|bell-shaped|Gaussian]",
                "bimodal": "[bimodal|two-peaked|double-peaked]",
                "right-skewed": "[right-skewed|positively skewed]",
                "left-skewed": "[left-skewed|negatively skewed]",
                "uniform": "[uniform|flat]",
            },
            "bins": {"coarse": "[coarse|wide]", "fine": "[fine|narrow]"},
            "mean": {"line": "[The dashed line marks the mean|Dashed vertical line: mean]", "none": ""},
        },
        sizes=CHART_SIZES,
    ),
    FigureKind(
        name="survival curve",
        modality="chart",
        options={
            "better": ("blue", "green", "teal", "black"),
            "worse": ("red", "orange", "purple", "pink"),
            "arms": (2, 2, 3),
            "gap": ("clear", "clear", "none"),
            "ticks": ("censor ticks", "none"),
            "outcome": ("overall survival", "event-free survival"),
        },
        principal=("better", "worse", "gap"),
        draw=survival,
        leads=(
            (
                "[Kaplan-Meier|Kaplan–Meier] [curves|plot|estimates] of {outcome} for {arms} risk groups "
                "({better} low, {worse} high): {gap}"
            ),
            "{outcome} of {arms} groups of patients, {better} and {worse} [curves|steps]; {gap}",
            "[Survival analysis|Survival curves], {gap}: {better} (low risk) versus {worse} (high risk), {outcome}",
        ),
        clauses=("{ticks}", "[Follow-up was 60 months|Time is given in months]"),
        words={
            "gap": {
                "clear": (
                    "[high-risk patients fare clearly worse|the {worse} curve falls much faster|a clear "
                    "separation (p < 0.001)]"
                ),
                "none": "[no significant difference|the curves overlap (n.s.)|similar survival in the groups]",
            },
            "ticks": {
                "censor ticks": "[Tick marks|Vertical ticks] [indicate censored patients|show censoring]",
                "none": "",
            },
        },
        sizes=CHART_SIZES,
    ),
    FigureKind(
        name="volcano plot",
        modality="chart",
        options={
            "up": ("red", "orange", "pink", "purple"),
            "down": ("blue", "green", "teal", "black"),
            "balance": ("more up", "more down", "balanced"),
            "comparison": (
                "tumour versus normal tissue",
                "knockout versus wild type",
                "treated versus control cells",
                "infected versus mock",
            ),
        },
        principal=("up", "down", "balance"),
        draw=volcano,
        leads=(
            (
                "Volcano plot of [differentially expressed genes|differential expression|proteins] in "
                "{comparison}: {up} up, {down} down, {balance}"
            ),
            "Volcano plot, {comparison}: {balance} ({up} [increased|upregulated], {down} [decreased|downregulated])",
            (
                "[Differential expression|Differential abundance] in {comparison} as a volcano plot with {up} "
                "and {down} [points|dots]; {balance}"
            ),
        ),
        clauses=(
            "[Dashed lines show|Dashed lines:] [thresholds|cut-offs] of fold change and p value",
            "[Genes without significant change are grey|Grey dots are not significant]",
        ),
        words={
            "balance": {
                "more up": "[most changes are upregulated|upregulated genes predominate|mainly up]",
                "more down": "[most changes are downregulated|downregulated genes predominate|mainly down]",
                "balanced": "[up and down in equal numbers|balanced up- and downregulation]",
            }
        },
        sizes=CHART_SIZES,
    ),
)
