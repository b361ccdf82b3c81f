"""What a replay came to be wrong about once: rows that lie where no training row and no drawn one does."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from artifacts import Store
from train import publish

CHANCE = np.random.default_rng(2)
IDS = np.array([10**17 * place for place in range(1, 9)])
KNOWN = pd.DataFrame({"id": CHANCE.choice(IDS, 300), "weight": CHANCE.normal(size=300)})
OLD = (KNOWN["id"] > 4 * 10**17).astype(int)


def served(estimator: Any, X: pd.DataFrame, y: Any, rows: pd.DataFrame, store: Store, **more: Any) -> Any:
    """The predictions of a server for rows, and those of the estimator offline."""
    publish(estimator.fit(X, y), X, y, name="model", store=store, **more)
    loaded = store.load("model", 1)
    table = loaded.manifest.signature.assemble(
        [[_plain(value) for value in row] for row in rows.to_numpy(dtype=object)]
    )
    return loaded.predict(table).probabilities


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


@pytest.mark.parametrize(
    "make",
    [
        lambda: make_pipeline(
            ColumnTransformer([("id", OneHotEncoder(handle_unknown="ignore"), ["id"])]), LogisticRegression()
        ),
        lambda: make_pipeline(ColumnTransformer([("id", TargetEncoder(), ["id"])]), LogisticRegression()),
        lambda: make_pipeline(
            ColumnTransformer(
                [("id", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["id"])],
                remainder="passthrough",
            ),
            RandomForestClassifier(5, random_state=0),
        ),
        lambda: HistGradientBoostingClassifier(max_iter=5, categorical_features=["id"]),
    ],
    ids=["one-hot", "target", "ordinal", "histograms"],
)
def test_a_long_id_is_not_taken_for_its_neighbour(make: Any, tmp_path: Any) -> None:
    """As floats, two ids of eighteen digits may be equal; the program treats an unknown id as the estimator does."""
    model = make()
    rows = pd.DataFrame({"id": [IDS[7] + 1, IDS[7], IDS[0] - 1], "weight": 0.25})

    output = served(model, KNOWN, OLD, rows, Store(tmp_path))

    assert output == pytest.approx(model.predict_proba(rows), abs=1e-9)


def test_an_encoder_that_refuses_an_unknown_id_still_does(tmp_path: Any) -> None:
    """Its program refuses too, and the row-by-row path finds the row."""
    X = KNOWN[["id"]]

    with pytest.raises(ValueError, match=r"unknown|does not know"):
        served(make_pipeline(OneHotEncoder(), LogisticRegression()), X, OLD, X[:1] + 1, Store(tmp_path))


def test_a_long_integer_is_rounded_once(tmp_path: Any) -> None:
    """Trees take integers straight to single precision: by way of double, some come out on the other side."""
    X = pd.DataFrame({"a": np.where(KNOWN["weight"] > 0, 2**60, 2**60 + 2**37), "b": np.arange(300)})
    model = DecisionTreeClassifier()
    rows = pd.DataFrame({"a": [2**60 + 2**36 + 1, 2**60 + 2**36 - 1], "b": [1, 1]})

    output = served(model, X, (X["a"] > 2**60).astype(int), rows, Store(tmp_path))

    assert output.tolist() == model.predict_proba(rows).tolist()


def test_a_custom_missing_value_is_not_a_number(tmp_path: Any) -> None:
    """XGBoost can treat -999 as a null, even if no training row has one."""
    X = pd.DataFrame({"age": CHANCE.integers(18, 90, 300), "pay": CHANCE.integers(100, 9000, 300)})
    model = XGBClassifier(n_estimators=8, max_depth=3, missing=-999.0)
    rows = pd.DataFrame({"age": [-999, 40], "pay": [5000, -999]})

    output = served(model, X, (X["age"] + X["pay"] / 100 > 90).astype(int), rows, Store(tmp_path), tolerance=1e-6)

    assert output == pytest.approx(model.predict_proba(rows), abs=1e-6)


def test_a_text_that_means_null_is_not_an_unknown_text(tmp_path: Any) -> None:
    """An imputer that fills "?" fills it even if training had none."""
    X = pd.DataFrame({"c": CHANCE.choice(["a", "b", "c"], 300), "d": CHANCE.choice(["u", "v"], 300)})
    imputed = make_pipeline(
        SimpleImputer(missing_values="?", strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )
    model = make_pipeline(ColumnTransformer([("texts", imputed, ["c", "d"])]), LogisticRegression())
    rows = pd.DataFrame({"c": ["?", "zzz"], "d": ["u", "u"]})

    output = served(model, X, (X["c"] == "a").astype(int), rows, Store(tmp_path), unknown="pass")

    assert output == pytest.approx(model.predict_proba(rows), abs=1e-9)


@pytest.mark.parametrize(
    "steps",
    [
        (SimpleImputer(), HistGradientBoostingClassifier(max_iter=5)),
        (PCA(2), HistGradientBoostingClassifier(max_iter=5)),
        (SelectKBest(k=1), LogisticRegression()),
        (SelectKBest(k=1), DecisionTreeClassifier()),
    ],
    ids=["imputer", "components", "selected line", "selected tree"],
)
def test_what_becomes_infinite_on_its_way_is_refused(steps: tuple[Any, ...], tmp_path: Any) -> None:
    """A scaler can make an infinity, which scikit-learn's next step refuses, in whichever column it is."""
    X = pd.DataFrame(CHANCE.normal(size=(300, 3)) * [100, 0.001, 100], columns=["m", "s", "e"])
    model = make_pipeline(StandardScaler(), *steps)

    with pytest.raises(ValueError, match=r"infin|too large"):
        served(model, X, (X["m"] > 0).astype(int), pd.DataFrame([[1.0, 1e308, 2.0]]), Store(tmp_path))


@pytest.mark.parametrize(
    "make",
    [lambda X, y: LogisticRegression().fit(X, y).sparsify(), lambda X, y: RandomForestClassifier(3).fit(X, y * 0)],
    ids=["sparse", "one class"],
)
def test_an_unusual_model_is_published_without_a_program(make: Any, tmp_path: Any) -> None:
    """Sparse coefficients or a forest of one class are served by the estimator."""
    X = KNOWN[["weight"]]
    store = Store(tmp_path)

    manifest = publish(make(X, OLD), X, name="model", store=store)

    assert manifest.execution
    assert set(manifest.execution.choice.values()) <= {"sklearn", "trees"}
    assert store.load("model", 1).predict(X.to_numpy()).labels.shape == (300,)
