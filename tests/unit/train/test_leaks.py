"""A column that leaks the target is reported, and one that is only good is not."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from train.leaks import leaks
from train.recipes import all_recipes

CHANCE = np.random.default_rng(0)
Y = pd.Series(np.array(["a", "b", "c"])[np.arange(300) % 3], name="kind")
AMOUNT = pd.Series(CHANCE.gamma(2.0, 100.0, 300), name="amount")
NOISE = CHANCE.normal(size=300)


@pytest.mark.parametrize(
    "values",
    [
        Y.map({"a": 1, "b": 2, "c": 3}),
        Y.map({"a": 1.0, "b": 2.0, "c": np.nan}),
        Y.map({"a": "Ada", "b": "Bob", "c": "Cid"}),
        Y.where(Y != "c"),
    ],
    ids=["codes", "null is a class", "texts", "texts and nulls"],
)
def test_another_name_for_the_class_is_a_leak(values: Any) -> None:
    """A column from which a tree predicts every class is reported, whatever its type."""
    [warning] = leaks(pd.DataFrame({"noise": NOISE, "the code": values}), Y, "classification")

    assert warning.what == "column 'the code' alone predicts 'kind' with a score of 1.0000"
    assert warning.advice == "if it is known only together with 'kind', --drop 'the code'"
    assert warning.column is None


@pytest.mark.parametrize("values", [AMOUNT * 1.19, AMOUNT.round(), -AMOUNT + NOISE])
def test_another_measure_of_the_amount_is_a_leak(values: Any) -> None:
    """A line finds what a tree of few rows would not."""
    [warning] = leaks(pd.DataFrame({"gross": values, "noise": NOISE}), AMOUNT, "regression")

    assert warning.what.startswith("column 'gross' alone predicts 'amount'")


@pytest.mark.parametrize("name", list(all_recipes()))
def test_real_tables_have_no_leak(name: str) -> None:
    """Good columns are not suspected: those of the recipes' tables are honest."""
    X, y = all_recipes()[name].load()

    assert leaks(X, y, "regression" if name == "diabetes" else "classification") == []


def test_a_rare_class_is_no_leak() -> None:
    """If nearly all rows are of one class, an uninformative column is nearly always right."""
    rare = pd.Series([1] * 5 + [0] * 1495, name="fraud")

    assert leaks(pd.DataFrame({"noise": CHANCE.normal(size=1500)}), rare, "classification") == []


def test_texts_are_not_asked() -> None:
    """Of real texts no two are alike."""
    assert leaks(pd.DataFrame({"remark": [f"about {row}" for row in range(300)]}), Y, "classification") == []


def test_many_rows_are_sampled() -> None:
    """A class that the sample hardly has does not stop the search."""
    y = pd.Series(np.array(["a", "b"])[np.arange(6_000) % 2], name="kind")
    y[17] = "c"

    [warning] = leaks(pd.DataFrame({"code": (y == "a").astype(int)}), y, "classification")

    assert warning.what.startswith("column 'code'")
