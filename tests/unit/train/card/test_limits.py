"""The limits of a model: what it accepts, what it refuses, and what was not checked."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from artifacts import Column, Manifest, Signature
from artifacts.columns import Category
from artifacts.manifest import Examples
from tests.support import tiny_models
from train.card.limits import limits_of
from train.evaluate import Evaluation

LENGTH = tiny_models.column("length", "float64")
RED = Category(value="red", count=1)
COLOUR = Column(name="colour", kind="category", dtype="str", nullable=False, categories=(RED,))
NOTE = Column(name="note", kind="text", dtype="str", nullable=False, minimum=1, maximum=9)


def limits(*columns: Column, evaluation: Evaluation | None = None, nulls: Any = (), **more: Any) -> dict[str, str]:
    """Return the texts of the limits of a classifier by their titles; several of one title are joined."""
    signature = Signature(container="frame", columns=columns or (LENGTH,), csv_nulls=nulls)
    promise = tiny_models.make(signature=signature).promise.model_dump()
    fields = {"model": "tiny", "version": 1, "created_at": datetime(2026, 1, 1, tzinfo=UTC), "files": {}}
    manifest = Manifest(**{**promise, **fields, **more})
    found: dict[str, str] = {}
    for limit in limits_of(manifest, evaluation):
        found[limit.title] = f"{found.get(limit.title, '')}{limit.text}"
    return found


def changed(column: Column, **more: Any) -> Column:
    """Return a column with other fields."""
    return column.model_copy(update=more)


def test_warnings_begin_with_a_capital_letter() -> None:
    """Each warning of the manifest is a limit."""
    assert limits(warnings=("column 'a' is constant",))["Warning"] == "Column 'a' is constant"


@pytest.mark.parametrize(
    ("columns", "nulls", "expected"),
    [
        ((LENGTH,), (), "No column accepts a null, because training saw none: a row with one is refused."),
        ((changed(LENGTH, nullable=True),), (), "Every column accepts a null. In a CSV an empty cell is a null."),
        (
            (changed(LENGTH, nullable=True), NOTE),
            ("NA",),
            "A null is accepted in length. Anywhere else",
        ),
    ],
    ids=["none", "all", "one of two"],
)
def test_nulls(columns: tuple[Column, ...], nulls: Any, expected: str) -> None:
    """The limit names the columns that accept a null, and the cells that mean null."""
    text = limits(*columns, nulls=nulls)["Nulls"]

    assert text.startswith(expected)
    assert ("and so is NA" in text) == bool(nulls)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (COLOUR, "A category other than those that training saw is refused: colour."),
        (changed(COLOUR, unknown="pass"), "is left to the estimator, which was not fitted on it: colour."),
        (changed(COLOUR, unknown="pass", sampled=True), "is left to the estimator: colour."),
    ],
    ids=["refused", "passed", "passed, of a sample"],
)
def test_unknown_categories(column: Column, expected: str) -> None:
    """The limit says whether unknown categories are refused; the model may know one that a sample lacks."""
    assert limits(column)["Categories"].endswith(expected)


def test_a_limit_of_a_kind_needs_a_column_of_the_kind() -> None:
    """Ranges, texts and categories are limits only of models with such columns."""
    assert {"Ranges"} == {"Ranges", "Texts", "Categories"} & limits(LENGTH).keys()
    assert {"Texts"} == {"Ranges", "Texts", "Categories"} & limits(NOTE).keys()


def test_optional_columns_are_named() -> None:
    """Columns that the model ignores may be omitted."""
    assert "omit" not in limits(LENGTH)["Columns"]
    assert "The model ignores length, which these may omit." in limits(changed(LENGTH, required=False), NOTE)["Columns"]


def test_predictions_of_a_model_without_probabilities() -> None:
    """The limit says whether the label can differ from the class with the largest probability."""
    examples = Examples(instances=((1.0,),), predictions=("long",), probabilities=None)

    assert "not the class with the largest probability" in limits()["Predictions"]
    assert limits(examples=examples)["Predictions"].endswith("there are no probabilities.")


def test_a_regressor_has_no_classes() -> None:
    """A regressor has no limit of predictions, and its tolerance is relative for large numbers."""
    found = limits(task="regression", classes=())

    assert "Predictions" not in found
    assert "relative to their size" in found["Exactness"]
    assert "relative to their size" not in limits()["Exactness"]


@pytest.mark.parametrize(
    ("evaluation", "expected"),
    [
        (None, "No rows were held back, so the quality of the model on new rows is unknown."),
        (Evaluation(1_000, {}), "The scores are those of 1,000 held-back rows; rows of another source or a later"),
        (Evaluation(99, {}), "So few rows give uncertain scores."),
        (Evaluation(200, {}, np.array([[0, 0], [0, 200]])), "None of them is of class short."),
        (Evaluation(200, {}, np.array([[9, 0], [0, 191]])), "Fewer than 10 are of class short."),
    ],
    ids=["none", "many", "few", "no row of a class", "few rows of a class"],
)
def test_quality(evaluation: Evaluation | None, expected: str) -> None:
    """The limit says how many rows were held back, and which classes have few of them."""
    assert expected in limits(evaluation=evaluation)["Quality"]


def test_scores_of_enough_rows_have_no_reservation() -> None:
    """With many rows of every class no class is named."""
    text = limits(evaluation=Evaluation(200, {}, np.array([[100, 0], [0, 100]])))["Quality"]

    assert "class" not in text
    assert "uncertain" not in text
