"""The plots of a card: what each shows, why one cannot be drawn, and that drawing has no side effects."""

import base64
import sys
import time
import xml.etree.ElementTree as ET
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC

from artifacts import Signature
from artifacts.predictions import label_map
from tests.support import tiny_models
from tests.support.cards import Carded, Page, numbers
from train.admission import Task, labels_of
from train.card.figures import INK, FailedPlot, Plot
from train.card.plots import plots_of
from train.evaluate import Evaluation, evaluate
from train.fitted_model import FittedModel
from train.held_back import HeldBack
from train.rows import as_rows

X = pd.DataFrame(numbers(90), columns=["length", "width", "height"])
Y = np.repeat([0, 1, 2], 30)
X.loc[:, "length"] += Y
FITTED = LogisticRegression().fit(X, Y)


def draw(
    estimator: Any, X: Any, y: Any, *, labels: list[str] | None = None, **more: Any
) -> dict[str, Plot | FailedPlot]:
    """Every plot, by its title."""
    is_classifier = hasattr(estimator, "classes_")
    lines = labels_of(estimator.classes_, labels) if is_classifier else ()
    columns = tuple(tiny_models.column(name, "float64") for name in X.columns)
    model = FittedModel(
        estimator, label_map([line.label for line in lines]), Signature(container="frame", columns=columns)
    )
    task: Task = "classification" if is_classifier else "regression"
    evaluation = more.pop("evaluation", None) or evaluate(estimator, task, X, y)
    return {
        plot.title: plot for plot in plots_of(model, HeldBack(as_rows(X), np.asarray(y).ravel()), evaluation, **more)
    }


def svg(plot: Plot | FailedPlot) -> str:
    """The image of a plot, which must be XML."""
    assert isinstance(plot, Plot)
    text = base64.b64decode(plot.source.removeprefix("data:image/svg+xml;base64,")).decode()
    ET.fromstring(text)
    return text


def reason(plot: Plot | FailedPlot) -> str:
    """Why a plot was not drawn."""
    assert isinstance(plot, FailedPlot)
    return plot.reason


class Odd(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Has two probabilities for three classes."""

    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(X)[:, :2]


class Weary(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Does not want to predict."""

    def predict(self, X: Any) -> Any:  # noqa: ARG002  # the signature is scikit-learn's
        raise RuntimeError("I have had enough" + "!" * 1_000)


def test_the_ink_is_that_of_the_page() -> None:
    """Texts and axes take the colour of the page, by day and by night, and its letters; the drawing has no ground."""
    image = svg(draw(FITTED, X, Y)["ROC curves"])

    assert INK not in image
    assert image.count("currentColor") > 10
    assert "prefers-color-scheme:dark" in image
    assert "DejaVu" not in image


@pytest.mark.parametrize("label", ["$x_{$", "日本語", "<b>&amp;", "\ud800", "a\x00b", "very long " * 20], ids=repr)
def test_a_label_is_drawn_as_it_is(label: str) -> None:
    """No label is taken for a formula or for XML, and letters that the font lacks are left to the browser."""
    plots = draw(FITTED, X, Y, labels=[label, "b", "c"])

    assert all("currentColor" in svg(plot) for plot in plots.values())


def test_drawing_has_no_side_effects_on_matplotlib() -> None:
    """No figure stays open, and the caller's style is neither used nor changed."""
    with mpl.rc_context({"axes.facecolor": "pink", "font.size": 30}):
        before = dict(mpl.rcParams)
        image = svg(draw(FITTED, X, Y)["Calibration"])

        assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []
    assert "#ffc0cb" not in image


def test_one_row_has_a_confusion_matrix_only() -> None:
    """A single held-back row has a confusion matrix; the other plots report how many rows they need."""
    plots = draw(FITTED, X[:1], Y[:1], evaluation=Evaluation(1, {}, np.array([[1, 0, 0], [0, 0, 0], [0, 0, 0]])))

    assert isinstance(plots["Confusion matrix"], Plot)
    assert "of one class" in reason(plots["ROC curves"])
    assert "needs at least 20 held-back rows, and there are 1" in reason(plots["Calibration"])
    assert "needs at least two held-back rows" in reason(plots["Importance of the columns"])


def test_a_class_without_held_back_rows_is_left_out() -> None:
    """A curve needs rows of its class; the card names classes without held-back rows."""
    some = Y > 0
    evaluation = Evaluation(60, {}, np.diag([0, 30, 30]))
    subject = Carded(FITTED, X, Y, (X[some], Y[some]), labels=["none", "few", "many"], evaluation=evaluation)

    page = subject.page()

    [roc] = [alt for alt in page.alts if alt.startswith("ROC")]
    assert "few" in roc
    assert "none" not in roc
    assert "None of them is of class none." in page.text


def test_a_classifier_without_probabilities_has_fewer_plots() -> None:
    """Where the model does not say how sure it is there is nothing to draw of it, and nothing is missing."""
    page = Carded(LinearSVC().fit(X, Y), X, Y, held_back=(X, Y)).page()

    assert [alt.partition(" ")[0] for alt in page.alts] == ["Confusion", "Importance"]
    assert "could not be drawn" not in page.text
    assert "there are no probabilities" in page.text


def test_classes_may_come_as_floats() -> None:
    """Held-back classes that pandas has made floats of are the same classes."""
    plots = draw(FITTED, X, Y.astype(float))

    assert all(isinstance(plot, Plot) for plot in plots.values())


def test_two_classes_have_one_curve() -> None:
    """The curve and the calibration are those of the second class."""
    two = (Y > 0).astype(bool)
    plots = draw(LogisticRegression().fit(X, two), X, two, labels=["no", "yes"])

    assert "no (AUC" not in svg(plots["ROC curves"])
    assert "yes (AUC" in svg(plots["ROC curves"])
    assert "probability of yes" in svg(plots["Calibration"])


@pytest.mark.parametrize("y", [[1.0], [1.0, 1.0, 1.0]])
def test_a_regressor_that_is_always_right_is_drawn(y: list[float]) -> None:
    """Points that all lie in one place are no error."""
    some = X[: len(y)]
    plots = draw(DummyRegressor().fit(some, y), some, y, evaluation=Evaluation(len(y), {}))

    assert isinstance(plots["Actual and predicted"], Plot)
    assert isinstance(plots["Residuals"], Plot)


def test_many_rows_are_sampled_and_the_card_says_so() -> None:
    """A hundred thousand held-back rows make neither a large file nor a slow publication."""
    X = numbers(100_000)
    y = X @ [1.0, 2.0, 3.0] + numbers(100_000, 1, seed=1).ravel()
    subject = Carded(LinearRegression().fit(X, y), X[:100], y[:100], held_back=(X, y))
    start = time.process_time()

    page = subject.page()

    assert time.process_time() - start < 10
    assert page.size < 400_000
    assert "From 500 of 100,000 held-back rows, drawn at random." in page.text
    assert "From 1,000 of 100,000 held-back rows, drawn at random" in page.text


def test_an_importance_that_takes_too_long_is_not_measured() -> None:
    """A slow model with many columns is published without the plot, and the card says why."""
    plots = draw(FITTED, X, Y, limit_s=0)

    assert "3 columns at" in reason(plots["Importance of the columns"])
    assert isinstance(plots["ROC curves"], Plot)


def test_a_plot_that_fails_is_named_and_the_others_are_drawn() -> None:
    """An error of the estimator in one plot is reported on the card."""
    odd = Odd().fit(X, Y)
    plots = draw(odd, X, Y, evaluation=Evaluation(90, {}, np.diag([30, 30, 30])))

    assert reason(plots["ROC curves"]).startswith("IndexError: ")
    assert isinstance(plots["Confusion matrix"], Plot)
    assert isinstance(plots["Importance of the columns"], Plot)


def test_a_model_that_cannot_predict_has_no_plots() -> None:
    """Whatever it raises is reported in one line of bounded length."""
    plots = draw(Weary().fit(X, Y), X, Y, evaluation=Evaluation(90, {}, np.diag([30, 30, 30])))

    [(title, plot)] = plots.items()
    assert title == "Plots of the held-back rows"
    assert reason(plot).startswith("RuntimeError: I have had enough!")
    assert len(reason(plot)) < 310


def test_without_matplotlib_the_card_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without matplotlib a model can be published, and its card names the missing package."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    page: Page = Carded(FITTED, X, Y, held_back=(X, Y)).page()

    assert page.alts == []
    assert page.text.count("could not be drawn: ModuleNotFoundError") == 4
