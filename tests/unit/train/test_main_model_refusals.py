"""A fitted model with a sample that does not fit it: one line that names the row and what to do, and no traceback."""

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from xgboost import XGBClassifier

from artifacts import Store
from train.__main__ import main

CHANCE = np.random.default_rng(0)
X = pd.DataFrame(
    {"size": CHANCE.normal(size=60), "colour": ["red", "green", "blue"] * 20, "zip": ["10115", "20095"] * 30}
)
Y = np.where(X["size"] > 0, "long", "short")
LEVELS = X.astype({"colour": "category", "zip": "category"})
ENCODED = make_column_transformer((OneHotEncoder(), ["colour", "zip"]), remainder="passthrough")


class Nameless(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A first step of the publisher's own, which stores nothing about the columns."""

    def fit(self, *_: Any) -> "Nameless":
        self.fitted_ = True
        return self

    def transform(self, X: Any) -> Any:
        return X[["size"]].to_numpy()


MODELS: dict[str, Any] = {
    "onehot": lambda: make_pipeline(ENCODED, LogisticRegression()).fit(X, Y),
    "histograms": lambda: HistGradientBoostingClassifier(max_iter=3).fit(LEVELS, Y),
    "lightgbm": lambda: LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(LEVELS, Y),
    "xgboost": lambda: XGBClassifier(n_estimators=3, n_jobs=1, enable_categorical=True).fit(LEVELS, Y == "long"),
    "nameless": lambda: make_pipeline(Nameless(), LogisticRegression()).fit(X, Y),
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store that the environment names."""
    monkeypatch.setenv("SEPAL_ARTIFACTS", str(tmp_path / "store"))
    return tmp_path / "store"


def _bring(folder: Path, model: str, sample: pd.DataFrame, *options: str) -> int:
    joblib.dump(MODELS[model](), folder / "model.joblib")
    truth = sample["size"].gt(0)
    y = truth if model == "xgboost" else truth.map({True: "long", False: "short"})
    sample.assign(y=y).to_csv(folder / "rows.csv", index=False)
    files = ["--model", str(folder / "model.joblib"), "--sample", str(folder / "rows.csv")]
    return main([*files, "--name", "brought", "--target", "y", "--yes", *options])


@pytest.mark.parametrize("model", ["onehot", "histograms", "lightgbm", "xgboost"])
def test_pandas_categories_and_texts_of_digits_come_back_as_they_were(root: Path, tmp_path: Path, model: str) -> None:
    """A CSV has numbers where the model was fitted on texts, and texts where it was fitted on pandas categories."""
    assert _bring(tmp_path, model, X) == 0

    manifest = Store(root).manifest("brought", 1)
    kinds = {column.name: (column.kind, column.known) for column in manifest.signature.columns}
    assert kinds["zip"] == ("category", ["10115", "20095"])
    assert kinds["colour"] == ("category", ["blue", "green", "red"])
    assert manifest.scores["sample_accuracy"] == MODELS[model]().score(
        X if model == "onehot" else LEVELS, Y == "long" if model == "xgboost" else Y
    )


def test_categories_come_from_the_model_if_the_sample_lacks_them(root: Path, tmp_path: Path) -> None:
    """They are accepted with --unknown refuse."""
    assert _bring(tmp_path, "onehot", X[X["colour"] != "blue"].head(8), "--unknown", "refuse") == 0

    signature = Store(root).manifest("brought", 1).signature
    counts = {category.value: category.count for category in signature.columns[1].categories}
    assert counts["blue"] == 0
    assert counts["red"] == 4


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("onehot", "row 3 of rows.csv: Found unknown categories ['pink'] in column 0 during transform"),
        ("histograms", "row 3 of rows.csv: column 'colour' holds 'pink', and the categories that the model knows are"),
        ("lightgbm", "row 3 of rows.csv: column 'colour' holds 'pink', and the categories that the model knows are"),
        ("xgboost", "row 3 of rows.csv: column 'colour' holds 'pink', and the categories that the model knows are"),
    ],
)
def test_a_category_that_the_model_does_not_know_is_named_with_its_row(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str, reason: str
) -> None:
    """Otherwise an unknown pandas category would silently become a null."""
    assert _bring(tmp_path, model, X.assign(colour=X["colour"].where(X.index != 2, "pink"))) == 1

    output = capsys.readouterr().err
    assert output.startswith("not published: ")
    assert reason in output
    assert not root.exists()


def test_a_null_that_the_model_refuses_is_named_with_its_row(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message has the row, the column, the model's own error and advice."""
    joblib.dump(MODELS["onehot"](), tmp_path / "model.joblib")
    X.assign(size=X["size"].where(X.index != 9), y=Y).to_csv(tmp_path / "rows.csv", index=False)

    files = ["--model", str(tmp_path / "model.joblib"), "--sample", str(tmp_path / "rows.csv")]
    assert main([*files, "--name", "brought", "--target", "y", "--yes"]) == 1

    err = capsys.readouterr().err
    assert err.startswith("not published: the model cannot predict row 10 of rows.csv, which has no value in 'size':")
    assert "contains NaN" in err
    assert "Remove such rows from the sample" in err


@pytest.mark.usefixtures("root")
def test_a_first_step_without_names_gets_the_whole_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It gets the columns of the file in their order, and reports what is missing itself."""
    assert _bring(tmp_path, "nameless", X) == 1
    assert "takes one column of texts" not in (output := capsys.readouterr().err)
    assert "the file is then published with the model" in output

    table = X.rename(columns={"size": "length"}).assign(y=Y)
    table.to_csv(tmp_path / "rows.csv", index=False)
    files = ["--model", str(tmp_path / "model.joblib"), "--sample", str(tmp_path / "rows.csv")]
    assert main([*files, "--name", "brought", "--target", "y", "--yes"]) == 1
    output = capsys.readouterr().err
    assert output.startswith("not published: the model cannot predict the rows of rows.csv, such as row 1 of rows.csv:")


@pytest.mark.parametrize(
    ("dtype", "code", "reason"),
    [
        ("zip=str", 0, ""),
        ("zip=nonsense", 1, "column 'zip' cannot be cast to nonsense: "),
        ("colour=float64", 1, "column 'colour' cannot be cast to float64: could not convert"),
        ("gone=str", 1, "rows.csv has no column 'gone'"),
    ],
)
def test_a_dtype_can_be_given(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], dtype: str, code: int, reason: str
) -> None:
    """A dtype to which pandas cannot cast the column is refused."""
    assert _bring(tmp_path, "onehot", X, "--dtype", dtype) == code

    assert reason in capsys.readouterr().err


def test_encoders_behind_an_imputer_know_their_categories(root: Path, tmp_path: Path) -> None:
    """Also if the columns are chosen by place."""
    del root
    model = make_pipeline(ColumnTransformer([("codes", OrdinalEncoder(), [1, 2])]), LogisticRegression()).fit(X, Y)
    joblib.dump(model, tmp_path / "model.joblib")
    X.to_csv(tmp_path / "rows.csv", index=False)

    arguments = ["--model", str(tmp_path / "model.joblib"), "--sample", str(tmp_path / "rows.csv"), "--name", "codes"]
    assert main([*arguments, "--yes"]) == 0
