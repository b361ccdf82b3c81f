"""What held-back rows show of a model: where it errs, how sure it is, and which columns it leans on."""

from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import ConfusionMatrixDisplay, PredictionErrorDisplay, RocCurveDisplay, auc, roc_curve

from artifacts.description import name, number
from train.card.figures import COLOURS, INK, Plot, Undrawable, Undrawn, Words, draw, reason
from train.card.importance import LIMIT_S, importance_of
from train.card.judged import Judged, choose
from train.evaluate import Evaluation
from train.fitted_model import FittedModel
from train.held_back import HeldBack

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 500
_MOST_CLASSES = 20
# Characters that stand side by side below a confusion matrix.
_ROOM_BELOW = 36
_MOST_COLUMNS = 15
_FEWEST_CALIBRATED = 20


def plots_of(
    model: FittedModel, held_back: HeldBack, evaluation: Evaluation, *, limit_s: float = LIMIT_S
) -> list[Plot | Undrawn]:
    """
    Every plot that a model of this kind has.

    Args:
        model: The model.
        held_back: Rows that it was not fitted on.
        evaluation: Its scores on them.
        limit_s: How long the importance of the columns may be measured.
    """
    try:
        judged = Judged.of(model, held_back)
    except Exception as error:  # noqa: BLE001  # an estimator may raise anything; the card's reader is told
        return [Undrawn("Plots of the held-back rows", reason(error))]
    importance = draw("Importance of the columns", partial(_importance, judged, limit_s))
    if evaluation.confusion is None:
        return [
            draw("Actual and predicted", partial(_actual, judged)),
            draw("Residuals", partial(_residuals, judged)),
            importance,
        ]
    plots = [draw("Confusion matrix", partial(_confusion, judged, evaluation.confusion))]
    if judged.probabilities is not None:
        plots.append(draw("ROC curves", partial(_roc, judged, judged.probabilities)))
        plots.append(draw("Calibration", partial(_calibration, judged, judged.probabilities)))
    return [*plots, importance]


def _confusion(judged: Judged, counts: NDArray[np.int64], axes: "Axes") -> Words:
    wrong = counts - np.diag(np.diag(counts))
    kept = np.sort(np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")[:_MOST_CLASSES])
    shown, is_small = counts[np.ix_(kept, kept)], len(kept) < 8
    # Colours are shares of a true class, or a rare one would be pale however well it is found; numbers are rows.
    shares = shown / np.maximum(counts[kept].sum(axis=1, keepdims=True), 1)
    display = ConfusionMatrixDisplay(shares, display_labels=[judged.names[place] for place in kept]).plot(
        ax=axes,
        cmap="Blues",
        colorbar=False,
        xticks_rotation="horizontal" if sum(len(judged.names[place]) for place in kept) <= _ROOM_BELOW else "vertical",
        im_kw={"interpolation": "none", "vmin": 0, "vmax": 1},
    )
    for place, text in np.ndenumerate(display.text_):
        text.set(text=shown[place], color="white" if shares[place] > 0.5 else "#08306b", fontsize=10 if is_small else 6)
    axes.tick_params(labelsize=9 if is_small else 6)
    axes.set(xlabel="answered", ylabel="true")
    return Words(
        caption="Down the true class, across the answer; the diagonal is right. The darker, the more of the true class."
        + _left_out(len(kept), len(counts), "classes that are mixed up most"),
        alt=_confused(judged, counts, wrong),
    )


def _confused(judged: Judged, counts: NDArray[np.int64], wrong: NDArray[np.int64]) -> str:
    told = f"Confusion matrix: {np.trace(counts)} of {judged.total} held-back rows are right."
    if not wrong.any():
        return told
    true, taken = np.unravel_index(np.argmax(wrong), wrong.shape)
    names = judged.names
    return f"{told} The most frequent mistake: {names[true]} taken for {names[taken]}, rows: {wrong[true, taken]}."


def _roc(judged: Judged, probabilities: NDArray[np.float64], axes: "Axes") -> Words:
    classes = judged.estimator.classes_
    curves = []
    # Of two classes, the curve of one tells that of the other.
    for place in [1] if len(classes) == 2 else range(len(classes)):
        positive = judged.told == classes[place]
        if 0 < np.count_nonzero(positive) < len(positive):
            false, true, _ = roc_curve(positive, probabilities[:, place])
            curves.append((auc(false, true), judged.names[place], false, true))
    if not curves:
        raise Undrawable("it holds rows of a class against other rows, and the held-back rows are all of one class")
    shown = curves if len(curves) <= len(COLOURS) else sorted(curves, key=itemgetter(0))[: len(COLOURS)]
    for (area, label, false, true), colour in zip(shown, COLOURS, strict=False):
        RocCurveDisplay(fpr=false, tpr=true, roc_auc=area, name=label).plot(ax=axes, curve_kwargs={"color": colour})
    _diagonal(axes)
    axes.set(xlabel="share of the other rows taken for it", ylabel="share of the class found")
    areas = ", ".join(f"{label} {area:.3f}" for area, label, _, _ in shown)
    return Words(
        caption="Each class against all others: the closer to the upper left, the better; the dotted line is chance. "
        f"From {judged.counted()}." + _left_out(len(shown), len(curves), "classes with the least area"),
        alt=f"ROC curves. The area under each, where 1 is best and 0.5 is chance: {areas}.",
    )


def _calibration(judged: Judged, probabilities: NDArray[np.float64], axes: "Axes") -> Words:
    rows, classes = len(judged.told), judged.estimator.classes_
    if rows < _FEWEST_CALIBRATED:
        raise Undrawable(f"it takes {_FEWEST_CALIBRATED} held-back rows or more, and there are {rows}")
    if len(classes) == 2:
        what, sure, came = f"probability of {judged.names[1]}", probabilities[:, 1], judged.told == classes[1]
    else:
        what, sure = "probability of the most probable class", probabilities.max(axis=1)
        came = judged.told == classes[probabilities.argmax(axis=1)]
    CalibrationDisplay.from_predictions(
        came.astype(int),
        np.clip(sure, 0, 1),
        n_bins=min(10, rows // 10),
        strategy="quantile",
        pos_label=1,
        ax=axes,
        ref_line=False,
        color=COLOURS[0],
    )
    axes.legend().remove()
    _diagonal(axes)
    axes.set(xlabel=what, ylabel="share of rows where it was true", aspect="equal")
    return Words(
        caption="How often the class was the true one, over the probability that it got: below the dotted line it "
        f"is too sure, above it not sure enough. From {judged.counted()}, in groups of about equal size.",
        alt=f"Calibration curve. The mean {what} is {sure.mean():.3f}, its share of the rows {came.mean():.3f}.",
    )


def _actual(judged: Judged, axes: "Axes") -> Words:
    from matplotlib.ticker import AutoLocator

    shown = _scatter(judged, axes, kind="actual_vs_predicted")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(AutoLocator())
    axes.set(xlabel="predicted", ylabel="actual")
    off = np.median(np.abs(_residual(judged)))
    return Words(
        caption=f"A point is a row; on the dashed line the answer would be exact. From {shown}.",
        alt=f"Actual over predicted values. For half of the rows the answer is off by {number(off)} or less.",
    )


def _residuals(judged: Judged, axes: "Axes") -> Words:
    shown = _scatter(judged, axes, kind="residual_vs_predicted")
    axes.set(xlabel="predicted", ylabel="actual less predicted")
    low, high = np.quantile(_residual(judged), [0.1, 0.9])
    return Words(
        caption="How far the truth lay from the answer. A bend or a funnel is something that the model does not know. "
        f"From {shown}.",
        alt=f"Residuals over predicted values. 80 % of them lie within {number(low)} to {number(high)}.",
    )


def _scatter(judged: Judged, axes: "Axes", *, kind: str) -> str:
    chosen = choose(len(judged.told), POINTS)
    told, predicted = judged.told[chosen].astype(np.float64), judged.predicted[chosen].astype(np.float64)
    PredictionErrorDisplay(y_true=told, y_pred=predicted).plot(
        ax=axes,
        kind=kind,
        scatter_kwargs={"color": COLOURS[0], "alpha": 0.75, "s": 16, "linewidths": 0},
        line_kwargs={"color": INK, "alpha": 1, "linewidth": 1},
    )
    return judged.counted(len(chosen))


def _residual(judged: Judged) -> NDArray[np.float64]:
    return judged.told.astype(np.float64) - judged.predicted.astype(np.float64)


def _importance(judged: Judged, limit_s: float, axes: "Axes") -> Words:
    found = importance_of(judged, limit_s=limit_s)
    columns = [name(column, longest=28) for column in found.columns[:_MOST_COLUMNS]]
    places = np.arange(len(columns))[::-1]
    means, deviations = found.means[: len(columns)], found.deviations[: len(columns)]
    axes.barh(places, means, xerr=deviations, color=COLOURS[0], ecolor=INK, height=0.7)
    axes.set_yticks(places, columns)
    what = {"r2": "R²"}.get(found.score, found.score)
    axes.set(xlabel=f"{what} lost when the column is shuffled")
    most = ", ".join(f"{column} {mean:.3f}" for column, mean in zip(columns[:5], means, strict=False))
    often = "once" if found.repeats == 1 else f"{found.repeats} times"
    return Words(
        caption="How much worse the answers get when a column's values change places among the rows. From "
        f"{judged.counted(found.rows)}, each column shuffled {often}. Columns that say the same hide each other."
        + _left_out(len(columns), len(found.columns), "columns that matter most"),
        alt=f"Importance of the columns. {what} lost, the most important first: {most}.",
    )


def _left_out(shown: int, total: int, which: str) -> str:
    return f" Shown are the {shown} of {total} {which}." if shown < total else ""


def _diagonal(axes: "Axes") -> None:
    axes.plot([0, 1], [0, 1], color=INK, linestyle=":", linewidth=1)
