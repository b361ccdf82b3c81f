"""What a model takes, what it refuses and what nobody has checked, in sentences for those who want to use it."""

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
    """One limit, under its keyword."""

    title: str
    text: str


def limits_of(manifest: Manifest, evaluation: Evaluation | None) -> Iterator[Limit]:
    """All limits that follow from what training saw."""
    columns, saw = manifest.signature.columns, "the sample has" if manifest.is_sampled else "training saw"
    for warning in manifest.warnings:
        yield Limit("Warning", f"{warning[:1].upper()}{warning[1:]}")
    yield Limit("Nulls", _nulls(columns, manifest.signature.csv_nulls, saw))
    yield from _categories(columns, saw)
    if any(column.kind in {"float", "integer"} for column in columns):
        yield Limit(
            "Ranges",
            f"A number outside the range that {saw} is answered like any other, and nobody has checked such "
            "answers. NaN, infinities, texts and true or false are refused where a number belongs, and so is what "
            "does not fit into the column's type.",
        )
    if any(column.kind == "text" for column in columns):
        yield Limit("Texts", f"A text of any length is taken; {saw} those that are described above.")
    yield Limit(
        "Columns",
        "Each of them once: a missing or an unknown column is refused. A vector has them in the order above; an object "
        "and a CSV name them, in any order." + _optional(columns),
    )
    if manifest.task == "classification":
        yield Limit("Answers", _answers(manifest))
    yield Limit("Quality", _quality(manifest, evaluation))
    of_large = "" if manifest.classes else ", of numbers beyond 1 in parts of them"
    yield Limit(
        "Exactness",
        "The same rows in the same request get the same answer. In another request the last digits of its numbers may "
        f"differ, by {manifest.tolerance:g} at most{of_large}.",
    )


def _nulls(columns: Sequence[Column], csv_nulls: Sequence[str], saw: str) -> str:
    able = [column.name for column in columns if column.nullable]
    if not able:
        return f"No column takes a null, because {saw} none: a row with one is refused."
    cells = names(csv_nulls)
    also = f", and so is {cells}" if csv_nulls else ""
    others = f" Anywhere else a null is refused, because {saw} none there." if len(able) < len(columns) else ""
    which = "Every column takes a null" if not others else f"A null is taken in {names(able, most=_MOST_NAMED)}"
    return f"{which}.{others} In a CSV an empty cell is a null{also}."


def _optional(columns: Sequence[Column]) -> str:
    ignored = [column.name for column in columns if not column.required]
    return f" The model ignores {names(ignored, most=_MOST_NAMED)}, which may be left out there." if ignored else ""


def _categories(columns: Sequence[Column], saw: str) -> Iterator[Limit]:
    # It may well know a category that a sample lacks.
    news = "" if any(column.sampled for column in columns) else ", which knows nothing of it"
    for unknown, what in (
        ("refuse", f"A category other than those that {saw} is refused"),
        ("pass", f"A category other than those that {saw} is left to the estimator{news}"),
    ):
        which = [column.name for column in columns if column.kind == "category" and column.unknown == unknown]
        if which:
            yield Limit("Categories", f"{what}: {names(which, most=_MOST_NAMED)}.")


def _answers(manifest: Manifest) -> str:
    if manifest.examples.probabilities is None:
        return "Every row gets one of its classes, also one that is none of them; it has no probabilities."
    return (
        "Every row gets one of its classes, also one that is none of them. The label is the estimator's own, not the "
        "class with the largest probability; the two differ for a few kinds of estimators."
    )


def _quality(manifest: Manifest, evaluation: Evaluation | None) -> str:
    if evaluation is None and manifest.is_sampled:
        return (
            "Nothing here was measured on rows that are known to be new to it, so nothing tells how good it is on such."
        )
    if evaluation is None:
        return "No rows were held back from it, so nothing here tells how good it is on rows that it has not seen."
    rows = evaluation.rows
    said = (
        f"The scores are those of {rows:,} held-back rows, and say nothing of rows of another origin or a later time."
    )
    if rows < _FEW_ROWS:
        said += " So few rows leave much to chance."
    if evaluation.confusion is None:
        return said
    held = evaluation.confusion.sum(axis=1)
    none, few = np.flatnonzero(held == 0), np.flatnonzero((held > 0) & (held < _FEW_OF_A_CLASS))
    if none.size:
        said += f" Not one of them is of class {_classes(manifest, none)}."
    if few.size:
        said += f" Fewer than {_FEW_OF_A_CLASS} are of class {_classes(manifest, few)}."
    return said


def _classes(manifest: Manifest, places: NDArray[np.intp]) -> str:
    return names([manifest.classes[place] for place in places], most=_MOST_NAMED)
