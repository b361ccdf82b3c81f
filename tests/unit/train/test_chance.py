"""A model that is no better than chance on the rows that it is published with gets a warning."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from artifacts import Store
from artifacts.__main__ import main as artifacts
from artifacts.predictions import Predictions, label_map
from train import publish
from train.chance import chance_warning
from train.rows import as_rows

WINE = load_wine(as_frame=True)
SCALED = SVC().fit(StandardScaler().fit_transform(WINE.data), WINE.target)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path)


class Constant(SVC):  # type: ignore[misc]  # scikit-learn has no types
    """Has classes, and answers 0 for every row."""

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X), dtype=int)


def _warning(predicted: NDArray[Any], true: NDArray[Any]) -> str:
    model = Constant()
    model.classes_ = np.unique(true)
    labels = label_map(model.classes_.tolist())
    return chance_warning(model, as_rows(np.zeros((len(true), 1))), Predictions(predicted, None, labels), true)


def test_an_estimator_of_scaled_rows_that_is_published_with_raw_ones_is_a_warning(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the output, the manifest, `show` and the card, with the reason."""
    manifest = publish(SCALED, WINE.data.to_numpy(), WINE.target, name="wine", store=store)

    assert manifest.publication is not None
    (warning,) = manifest.publication.warnings
    assert warning.startswith(
        "the model is no better than chance on the 178 rows of X: balanced accuracy is 0.333, and chance reaches "
        "0.333; its predictions are far better for these rows once they are standardized: was it fitted on scaled rows?"
    )
    assert f"warning: {warning}" in capsys.readouterr().out
    assert store.manifest("wine", 1).warnings == (warning,)
    assert "no better than chance on the 178 rows" in (store.root / "wine" / "1" / "card.html").read_text()
    monkeypatch.setenv("SEPAL_ARTIFACTS", str(store.root))
    assert artifacts(["show", "wine"]) == 0
    assert "WARNING     the model is no better than chance" in capsys.readouterr().out


def test_a_regressor_of_scaled_rows_is_a_warning(store: Store) -> None:
    """R2 of 0 or less is no better than always the mean."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    model = SVR(C=100).fit(StandardScaler().fit_transform(X), y)

    (warning,) = publish(model, X, y, name="sick", store=store).warnings

    assert "and always predicting the mean reaches 0; its predictions are far better for these rows once" in warning


def test_other_codes_for_the_classes_are_named(store: Store) -> None:
    """Predictions that fit y under other codes are encoded differently."""
    iris = load_iris()
    model = LogisticRegression(max_iter=1000).fit(iris.data, iris.target)

    (warning,) = publish(model, iris.data, (iris.target + 1) % 3, name="iris", store=store).warnings

    assert "its predictions fit y far better with other codes for the classes" in warning


def test_columns_in_another_order_are_a_warning(store: Store) -> None:
    """Without names, only the scores show it."""
    draw = np.random.default_rng(0)
    X = draw.normal(size=(300, 6))
    y = X[:, 0] > 0

    (warning,) = publish(LogisticRegression().fit(X, y), X[:, ::-1], y, name="turned", store=store).warnings

    assert "on columns in another order" in warning


@pytest.mark.parametrize("frame", [True, False])
def test_honest_models_are_no_warning(store: Store, frame: bool) -> None:
    """Neither a good one nor a weak one."""
    draw = np.random.default_rng(0)
    X = pd.DataFrame(draw.normal(size=(400, 3)), columns=["a", "b", "c"])
    weak = 0.2 * X["a"] + draw.normal(size=400)
    table = X if frame else X.to_numpy()

    assert publish(LinearRegression().fit(table, weak), table, weak, name="weak", store=store).warnings == ()
    assert publish(LogisticRegression().fit(table, weak > 0), table, weak > 0, name="c", store=store).warnings == ()


def test_few_rows_and_no_target_say_nothing(store: Store) -> None:
    """Below 50 rows chance is too wide, and without y there is nothing to compare with."""
    few, X = WINE.target.sort_values().index[::4][:49], WINE.data.to_numpy()

    assert publish(SCALED, X, name="wine", store=store).warnings == ()
    assert publish(SCALED, X[few], WINE.target[few], name="wine", store=store).warnings == ()


@pytest.mark.parametrize(
    ("right", "rows", "least", "most"),
    [(0.5, 50, 0.6, 1.0), (0.5, 500, 0.9, 1.0), (0.65, 50, 0.0, 0.15), (0.7, 50, 0.0, 0.05), (0.6, 500, 0.0, 0.05)],
)
def test_weak_models_on_few_rows_are_seldom_taken_for_guesses(
    right: float, rows: int, least: float, most: float
) -> None:
    """How often a model that is right with such a probability, in either of two classes, is warned of."""
    draw = np.random.default_rng(1)
    warned = 0
    for _ in range(200):
        true = draw.permutation(np.arange(rows) % 2)
        predicted = np.where(draw.random(rows) < right, true, 1 - true)
        warned += bool(_warning(predicted, true))

    assert least <= warned / 200 <= most
