"""The plots of a model card: errors, probabilities and important columns on held-back rows."""

from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import ConfusionMatrixDisplay, PredictionErrorDisplay, RocCurveDisplay, auc, roc_curve

from artifacts.description import name, number
from train.card.figures import COLOURS, INK, CannotDraw, FailedPlot, Plot, PlotText, draw, reason
from train.card.importance import LIMIT_S, importance_of
from train.card.predictions import HeldBackPredictions, choose
from train.evaluate import Evaluation
from train.fitted_model import FittedModel
from train.held_back import HeldBack

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 500
_MOST_CLASSES = 20
# So many characters fit side by side below a confusion matrix.
_ROOM_BELOW = 36
_MOST_COLUMNS = 15
_FEWEST_CALIBRATED = 20


def plots_of(
    model: FittedModel, held_back: HeldBack, evaluation: Evaluation, *, limit_s: float = LIMIT_S
) -> list[Plot | FailedPlot]:
    """
    Draw every plot for a model of this task.

    Args:
        model: The model.
        held_back: Rows that it was not fitted on.
        evaluation: Its scores on them.
        limit_s: How long measuring the importance of the columns may take.
    """
    try:
        held = HeldBackPredictions.of(model, held_back)
    except Exception as error:  # noqa: BLE001  # an estimator may raise anything; the card says why
        return [FailedPlot("Plots of the held-back rows", reason(error))]
    importance = draw("Importance of the columns", partial(_importance, held, limit_s))
    if evaluation.confusion is None:
        return [
            draw("Actual and predicted", partial(_actual, held)),
            draw("Residuals", partial(_residuals, held)),
            importance,
        ]
    plots = [draw("Confusion matrix", partial(_confusion, held, evaluation.confusion))]
    if held.probabilities is not None:
        plots.append(draw("ROC curves", partial(_roc, held, held.probabilities)))
        plots.append(draw("Calibration", partial(_calibration, held, held.probabilities)))
    return [*plots, importance]


def _confusion(held: HeldBackPredictions, counts: NDArray[np.int64], axes: "Axes") -> PlotText:
    wrong = counts - np.diag(np.diag(counts))
    kept = np.sort(np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")[:_MOST_CLASSES])
    shown, is_small = counts[np.ix_(kept, kept)], len(kept) < 8
    # Colours are shares of a true class, so that a rare class is as dark as a frequent one; numbers are rows.
    shares = shown / np.maximum(counts[kept].sum(axis=1, keepdims=True), 1)
    display = ConfusionMatrixDisplay(shares, display_labels=[held.names[place] for place in kept]).plot(
        ax=axes,
        cmap="Blues",
        colorbar=False,
        xticks_rotation="horizontal" if sum(len(held.names[place]) for place in kept) <= _ROOM_BELOW else "vertical",
        im_kw={"interpolation": "none", "vmin": 0, "vmax": 1},
    )
    for place, text in np.ndenumerate(display.text_):
        text.set(text=shown[place], color="white" if shares[place] > 0.5 else "#08306b", fontsize=10 if is_small else 6)
    axes.tick_params(labelsize=9 if is_small else 6)
    axes.set(xlabel="predicted", ylabel="true")
    return PlotText(
        caption="Rows are true classes, columns predicted ones; the diagonal is correct. "
        "Colours are shares of the true class." + _left_out(len(kept), len(counts), "classes with the most mistakes"),
        alt=_confused(held, counts, wrong),
    )


def _confused(held: HeldBackPredictions, counts: NDArray[np.int64], wrong: NDArray[np.int64]) -> str:
    text = f"Confusion matrix: {np.trace(counts)} of {held.total} held-back rows are predicted correctly."
    if not wrong.any():
        return text
    true, taken = np.unravel_index(np.argmax(wrong), wrong.shape)
    names = held.names
    return f"{text} The most frequent mistake: {names[true]} predicted as {names[taken]}, rows: {wrong[true, taken]}."


def _roc(held: HeldBackPredictions, probabilities: NDArray[np.float64], axes: "Axes") -> PlotText:
    classes = held.estimator.classes_
    curves = []
    # For two classes, the curve of one is enough.
    for place in [1] if len(classes) == 2 else range(len(classes)):
        positive = held.true == classes[place]
        if 0 < np.count_nonzero(positive) < len(positive):
            false, true, _ = roc_curve(positive, probabilities[:, place])
            curves.append((auc(false, true), held.names[place], false, true))
    if not curves:
        raise CannotDraw("it compares a class with the others, and all held-back rows are of one class")
    shown = curves if len(curves) <= len(COLOURS) else sorted(curves, key=itemgetter(0))[: len(COLOURS)]
    for (area, label, false, true), colour in zip(shown, COLOURS, strict=False):
        RocCurveDisplay(fpr=false, tpr=true, roc_auc=area, name=label).plot(ax=axes, curve_kwargs={"color": colour})
    _diagonal(axes)
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    areas = ", ".join(f"{label} {area:.3f}" for area, label, _, _ in shown)
    return PlotText(
        caption="Each class against all others: the closer to the upper left, the better; the dotted line is chance. "
        f"From {held.counted()}." + _left_out(len(shown), len(curves), "classes with the least area"),
        alt=f"ROC curves. The area under each, where 1 is best and 0.5 is chance: {areas}.",
    )


def _calibration(held: HeldBackPredictions, probabilities: NDArray[np.float64], axes: "Axes") -> PlotText:
    rows, classes = len(held.true), held.estimator.classes_
    if rows < _FEWEST_CALIBRATED:
        raise CannotDraw(f"it needs at least {_FEWEST_CALIBRATED} held-back rows, and there are {rows}")
    if len(classes) == 2:
        what, predicted, came = f"probability of {held.names[1]}", probabilities[:, 1], held.true == classes[1]
    else:
        what, predicted = "probability of the most probable class", probabilities.max(axis=1)
        came = held.true == classes[probabilities.argmax(axis=1)]
    CalibrationDisplay.from_predictions(
        came.astype(int),
        np.clip(predicted, 0, 1),
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
    return PlotText(
        caption="How often the class was true, over its predicted probability: below the dotted line the model is "
        f"overconfident, above it underconfident. From {held.counted()}, in groups of about equal size.",
        alt=f"Calibration curve. The mean {what} is {predicted.mean():.3f}, its share of the rows {came.mean():.3f}.",
    )


def _actual(held: HeldBackPredictions, axes: "Axes") -> PlotText:
    from matplotlib.ticker import AutoLocator

    shown = _scatter(held, axes, kind="actual_vs_predicted")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(AutoLocator())
    axes.set(xlabel="predicted", ylabel="actual")
    off = np.median(np.abs(_residual(held)))
    return PlotText(
        caption=f"Each point is a row; on the dashed line the prediction is exact. From {shown}.",
        alt=f"Actual over predicted values. For half of the rows the error is {number(off)} or less.",
    )


def _residuals(held: HeldBackPredictions, axes: "Axes") -> PlotText:
    shown = _scatter(held, axes, kind="residual_vs_predicted")
    axes.set(xlabel="predicted", ylabel="actual minus predicted")
    low, high = np.quantile(_residual(held), [0.1, 0.9])
    return PlotText(
        caption="The error of each row. A bend or a funnel shows a pattern that the model has not learned. "
        f"From {shown}.",
        alt=f"Residuals over predicted values. 80 % of them lie within {number(low)} to {number(high)}.",
    )


def _scatter(held: HeldBackPredictions, axes: "Axes", *, kind: str) -> str:
    chosen = choose(len(held.true), POINTS)
    true, predicted = held.true[chosen].astype(np.float64), held.predicted[chosen].astype(np.float64)
    PredictionErrorDisplay(y_true=true, y_pred=predicted).plot(
        ax=axes,
        kind=kind,
        scatter_kwargs={"color": COLOURS[0], "alpha": 0.75, "s": 16, "linewidths": 0},
        line_kwargs={"color": INK, "alpha": 1, "linewidth": 1},
    )
    return held.counted(len(chosen))


def _residual(held: HeldBackPredictions) -> NDArray[np.float64]:
    return held.true.astype(np.float64) - held.predicted.astype(np.float64)


def _importance(held: HeldBackPredictions, limit_s: float, axes: "Axes") -> PlotText:
    found = importance_of(held, limit_s=limit_s)
    columns = [name(column, longest=28) for column in found.columns[:_MOST_COLUMNS]]
    places = np.arange(len(columns))[::-1]
    means, deviations = found.means[: len(columns)], found.deviations[: len(columns)]
    axes.barh(places, means, xerr=deviations, color=COLOURS[0], ecolor=INK, height=0.7)
    axes.set_yticks(places, columns)
    what = {"r2": "R²"}.get(found.score, found.score)
    axes.set(xlabel=f"{what} lost when the column is shuffled")
    most = ", ".join(f"{column} {mean:.3f}" for column, mean in zip(columns[:5], means, strict=False))
    often = "once" if found.repeats == 1 else f"{found.repeats} times"
    return PlotText(
        caption="How much the score drops when the values of a column are shuffled among the rows. From "
        f"{held.counted(found.rows)}, each column shuffled {often}. Correlated columns hide each other."
        + _left_out(len(columns), len(found.columns), "most important columns"),
        alt=f"Importance of the columns. {what} lost, the most important first: {most}.",
    )


def _left_out(shown: int, total: int, which: str) -> str:
    return f" Shown are the {shown} of {total} {which}." if shown < total else ""


def _diagonal(axes: "Axes") -> None:
    axes.plot([0, 1], [0, 1], color=INK, linestyle=":", linewidth=1)
