"""What callers may send beyond X, or omit, is proved by predicting; otherwise it is refused, or required."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from artifacts import Bundle, Store
from train import publish
from train.__main__ import main
from train.errors import NotPublishable

CHANCE = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "age": CHANCE.integers(18, 80, 80),
        "weight": CHANCE.normal(70, 9, 80),
        "member": CHANCE.random(80) > 0.5,
        "town": CHANCE.choice(["Bonn", "Köln"], 80),
    }
)
Y = (X["age"] > 40).astype(int)
NUMBERS = X[["age", "weight"]]
IMPUTED = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
DROPPING = make_pipeline(
    ColumnTransformer([("numbers", SimpleImputer(), ["age", "weight"])], remainder="drop"), LogisticRegression()
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path)


def _asked(bundle: Bundle, *rows: list[Any]) -> list[Any]:
    """What a server would answer to rows of plain values; an error code where one is refused."""
    batch = bundle.manifest.signature.check(list(zip(*rows, strict=True)))
    return [fault.code for fault in batch.faults] or bundle.predict(batch.data).labels.tolist()


@pytest.mark.parametrize("container", ["frame", "array", "masked"])
def test_a_column_without_nulls_takes_one_where_the_pipeline_imputes(store: Store, container: str) -> None:
    """Whole numbers included, which have no null in numpy; other columns still refuse one."""
    table: Any = {"frame": NUMBERS, "array": NUMBERS.to_numpy(int), "masked": NUMBERS.astype({"age": "Int64"})}
    columns = ["age", "weight"] if container == "array" else None
    model = IMPUTED.fit(table[container], Y)

    publish(model, table[container], Y, name="m", columns=columns, nullable=["age"], store=store)

    bundle = store.load("m", 1)
    mean = float(NUMBERS["age"].mean())
    rows = pd.DataFrame([[mean, 70], [79, 70], [18, 70]], columns=["age", "weight"])
    expected = model.predict(rows.to_numpy() if container == "array" else rows).tolist()
    assert _asked(bundle, [None, 70], [79, 70], [18, 70]) == expected
    assert _asked(bundle, [30, None]) == ["null"]


def test_booleans_and_texts_accept_a_null_if_the_pipeline_does(store: Store) -> None:
    """The encoder handles it, or publishing fails."""
    encoder = OneHotEncoder(handle_unknown="ignore")
    model = make_pipeline(
        make_column_transformer((encoder, ["member", "town"]), remainder="passthrough"), LogisticRegression()
    ).fit(X, Y)

    manifest = publish(model, X, Y, name="m", nullable=["member", "town"], store=store)

    assert [column.nullable for column in manifest.signature.columns] == [False, False, True, True]
    assert len(_asked(store.load("m", 1), [30, 70.5, None, None])) == 1


@pytest.mark.parametrize(
    ("model", "options", "reason"),
    [
        (
            make_pipeline(StandardScaler(), LogisticRegression()),
            {"nullable": ["age"]},
            "nullable names 'age', and .*NaN",
        ),
        (IMPUTED, {"nullable": ["gone"]}, "nullable names 'gone', and X has no such column"),
        (IMPUTED, {"fractions": ["gone"]}, "fractions names 'gone', and X has no such column"),
    ],
)
def test_what_the_pipeline_does_not_accept_is_refused(
    store: Store, model: Any, options: dict[str, Any], reason: str
) -> None:
    """With the pipeline's own error and advice; nothing is written."""
    with pytest.raises(NotPublishable, match=reason):
        publish(model.fit(NUMBERS, Y), NUMBERS, Y, name="m", store=store, **options)

    assert store.models() == []


def test_integers_accept_fractions_on_request(store: Store) -> None:
    """Without the option 30.5 is refused."""
    model = IMPUTED.fit(NUMBERS, Y)
    publish(model, NUMBERS, Y, name="m", store=store)
    publish(model, NUMBERS, Y, name="m", fractions=["age"], store=store)

    assert _asked(store.load("m", 1), [30.5, 70]) == ["not-an-integer"]
    rows = pd.DataFrame([[30.5, 70], [79, 70]], columns=["age", "weight"])
    assert _asked(store.load("m", 2), [30.5, 70], [79, 70]) == model.predict(rows).tolist()


def test_fractions_are_for_numbers(store: Store) -> None:
    """A column of texts is refused."""
    model = HistGradientBoostingClassifier(max_iter=2).fit(X.astype({"town": "category"}), Y)
    with pytest.raises(NotPublishable, match="fractions names 'town', and its dtype is category: only integers"):
        publish(model, X.astype({"town": "category"}), Y, name="m", fractions=["town"], store=store)


def test_an_encoder_of_integers_knows_them_next_to_nulls(store: Store) -> None:
    """In a nullable column they are floats, and their predictions stay the same."""
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(X[["age", "town"]], Y)
    manifest = publish(model, X[["age", "town"]], Y, name="m", nullable=["age"], store=store)

    assert manifest.signature.columns[0].nullable
    assert (
        _asked(store.load("m", 1), [30, "Bonn"])
        == model.predict(pd.DataFrame({"age": [30], "town": ["Bonn"]})).tolist()
    )


@pytest.mark.parametrize("container", ["frame", "array"])
def test_columns_that_the_pipeline_ignores_are_not_required(store: Store, container: str) -> None:
    """What a ColumnTransformer drops, by name or by place."""
    model = (
        DROPPING
        if container == "frame"
        else make_pipeline(
            ColumnTransformer([("numbers", SimpleImputer(), [0, 1])], remainder="drop"), LogisticRegression()
        )
    )
    table: Any = X if container == "frame" else X.drop(columns="town").to_numpy(float)

    manifest = publish(model.fit(table, Y), table, Y, name="m", store=store)

    required = [column.required for column in manifest.signature.columns]
    assert required == [True, True, False, False][: len(required)]


def test_columns_that_a_selector_leaves_out_are_not_required(store: Store) -> None:
    """At the front of a pipeline it is the columns themselves that it selects."""
    model = make_pipeline(SelectKBest(k=1), LogisticRegression()).fit(NUMBERS, Y)

    manifest = publish(model, NUMBERS, Y, name="m", store=store)

    assert [column.required for column in manifest.signature.columns] == [True, False]


def test_columns_that_are_used_elsewhere_are_required(store: Store) -> None:
    """A column that one part drops and another uses is required, and so are all of a pipeline that drops none."""
    model = make_pipeline(
        ColumnTransformer([("one", "drop", ["age", "weight"]), ("two", SimpleImputer(), ["age", "weight"])]),
        LogisticRegression(),
    ).fit(NUMBERS, Y)

    manifest = publish(model, NUMBERS, Y, name="m", store=store)

    assert all(column.required for column in manifest.signature.columns)


def test_the_command_line_has_the_same_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --csv, whose pipeline takes nulls and fractions in all columns; a column that is not there is refused."""
    monkeypatch.setenv("SEPAL_ARTIFACTS", str(tmp_path / "store"))
    X.assign(y=Y).to_csv(tmp_path / "rows.csv", index=False)
    command = ["--csv", str(tmp_path / "rows.csv"), "--target", "y", "--drop", "town"]

    assert main([*command, "--nullable", "weight", "member", "--fractions", "age"]) == 0
    assert main([*command, "--nullable", "town"]) == 1

    assert "nullable names 'town', and X has no such column" in capsys.readouterr().err
    columns = {column.name: column for column in Store(tmp_path / "store").manifest("rows", 1).signature.columns}
    assert (columns["weight"].nullable, columns["member"].nullable, columns["age"].kind) == (True, True, "float")
