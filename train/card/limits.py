"""The limits of a model for its users: what it accepts, what it refuses, and what was not checked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from artifacts.columns import Column
from artifacts.description import names
from artifacts.manifest import Manifest
from train.evaluate import Evaluation

_FEW_ROWS = 100
_FEW_OF_A_CLASS = 10
_MOST_NAMED = 12


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit, with its heading."""

    title: str
    text: str


def limits_of(manifest: Manifest, evaluation: Evaluation | None) -> Iterator[Limit]:
    """Yield all limits that follow from what training saw."""
    columns, saw = manifest.signature.columns, "the sample has" if manifest.is_sampled else "training saw"
    for warning in manifest.warnings:
        yield Limit("Warning", f"{warning[:1].upper()}{warning[1:]}")
    yield Limit("Nulls", _nulls(columns, manifest.signature.csv_nulls, saw))
    yield from _categories(columns, saw)
    if any(column.kind in {"float", "integer"} for column in columns):
        yield Limit(
            "Ranges",
            f"A number outside the range that {saw} is predicted like any other; such predictions were not checked. "
            "In a column of numbers NaN, infinities, texts and booleans are refused, and numbers that do not fit into "
            "its type.",
        )
    if any(column.kind == "text" for column in columns):
        yield Limit("Texts", f"A text of any length is accepted; {saw} the lengths in the table above.")
    yield Limit(
        "Columns",
        "A request has each of them once: a missing or an unknown column is refused. A vector has them in the order "
        "above; an object and a CSV name them, in any order." + _optional(columns),
    )
    if manifest.task == "classification":
        yield Limit("Predictions", _predictions(manifest))
    yield Limit("Quality", _quality(manifest, evaluation))
    of_large = "" if manifest.classes else ", relative to their size for numbers beyond 1"
    yield Limit(
        "Exactness",
        "The same rows in the same request get the same predictions. In another request their last digits may "
        f"differ, by at most {manifest.tolerance:g}{of_large}.",
    )


def _nulls(columns: Sequence[Column], csv_nulls: Sequence[str], saw: str) -> str:
    able = [column.name for column in columns if column.nullable]
    if not able:
        return f"No column accepts a null, because {saw} none: a row with one is refused."
    cells = names(csv_nulls)
    also = f", and so is {cells}" if csv_nulls else ""
    others = f" Anywhere else a null is refused, because {saw} none there." if len(able) < len(columns) else ""
    which = "Every column accepts a null" if not others else f"A null is accepted in {names(able, most=_MOST_NAMED)}"
    return f"{which}.{others} In a CSV an empty cell is a null{also}."


def _optional(columns: Sequence[Column]) -> str:
    ignored = [column.name for column in columns if not column.required]
    return f" The model ignores {names(ignored, most=_MOST_NAMED)}, which these may omit." if ignored else ""


def _categories(columns: Sequence[Column], saw: str) -> Iterator[Limit]:
    # The model may know a category that a sample lacks.
    unseen = "" if any(column.sampled for column in columns) else ", which was not fitted on it"
    for unknown, what in (
        ("refuse", f"A category other than those that {saw} is refused"),
        ("pass", f"A category other than those that {saw} is left to the estimator{unseen}"),
    ):
        which = [column.name for column in columns if column.kind == "category" and column.unknown == unknown]
        if which:
            yield Limit("Categories", f"{what}: {names(which, most=_MOST_NAMED)}.")


def _predictions(manifest: Manifest) -> str:
    if manifest.examples.probabilities is None:
        return "Every row gets one of its classes, even if none applies; there are no probabilities."
    return (
        "Every row gets one of its classes, even if none applies. The label is the one that the estimator predicts, "
        "not the class with the largest probability; the two differ for a few estimators."
    )


def _quality(manifest: Manifest, evaluation: Evaluation | None) -> str:
    if evaluation is None and manifest.is_sampled:
        return "No score here was measured on rows known to be new to the model, so its quality on new rows is unknown."
    if evaluation is None:
        return "No rows were held back, so the quality of the model on new rows is unknown."
    rows = evaluation.rows
    text = f"The scores are those of {rows:,} held-back rows; rows of another source or a later time may differ."
    if rows < _FEW_ROWS:
        text += " So few rows give uncertain scores."
    if evaluation.confusion is None:
        return text
    held = evaluation.confusion.sum(axis=1)
    none, few = np.flatnonzero(held == 0), np.flatnonzero((held > 0) & (held < _FEW_OF_A_CLASS))
    if none.size:
        text += f" None of them is of class {_classes(manifest, none)}."
    if few.size:
        text += f" Fewer than {_FEW_OF_A_CLASS} are of class {_classes(manifest, few)}."
    return text


def _classes(manifest: Manifest, places: NDArray[np.intp]) -> str:
    return names([manifest.classes[place] for place in places], most=_MOST_NAMED)
