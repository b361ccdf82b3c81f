"""Describe a manifest in text, for the terminal and the model card."""

import json
import shlex
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from artifacts.columns import Column, Scalar
from artifacts.manifest import Distribution, Execution, Manifest, Prediction, Promise, Training, limit
from artifacts.text import printable, shorten

# The address of the server in the README.
API = "http://127.0.0.1:8000/api/v1"
# A row of more columns is shown as a vector, without names.
_MOST_NAMED = 32
_LONGEST_SENT = 32_768
_DECILES = 9


@dataclass(frozen=True, slots=True)
class Example:
    """A valid row by column, and the prediction for it with its probability."""

    row: dict[str, Scalar]
    prediction: Prediction
    probability: float | None

    @property
    def instance(self) -> dict[str, Scalar] | list[Scalar]:
        """The row as a caller may send it: by name if it has few columns."""
        return self.row if len(self.row) <= _MOST_NAMED else list(self.row.values())


def example_of(manifest: Promise) -> Example | None:
    """Return the example with the fewest nulls, then the shortest; None if there is none that can be shown."""
    examples = manifest.examples
    best = min(range(len(examples.instances)), key=lambda row: _complexity(examples.instances[row]), default=None)
    if best is None or _complexity(examples.instances[best])[1] > _LONGEST_SENT:
        return None
    try:
        return _example(manifest, best)
    except (ValueError, IndexError):
        # A manifest whose signature was not verified may be inconsistent.
        return None


def _example(manifest: Promise, row: int) -> Example:
    prediction, probabilities = manifest.examples.predictions[row], manifest.examples.probabilities
    return Example(
        row=dict(zip(manifest.signature.names, manifest.examples.instances[row], strict=True)),
        prediction=prediction,
        probability=None if probabilities is None else probabilities[row][manifest.classes.index(prediction)],
    )


def _complexity(row: Sequence[Scalar]) -> tuple[int, int]:
    return sum(value is None or value == "" for value in row), len(json.dumps(row))


def published(manifest: Manifest) -> str:
    """Return one line for the publisher: the version, the store, the key that signed it and how it goes live."""
    version = f"published {manifest.model} version {manifest.version}"
    known = manifest.publication
    return version if known is None else f"{version} in {known.store}, signed with key {known.key}; {known.live}"


def learned(training: Training, *, sampled: bool) -> str:
    """Return the number of training rows and of held-back ones: "from 120 rows; 30 others were held back"."""
    if sampled:
        return f"from an unknown number of rows; columns are described by a sample of {training.rows} rows"
    return f"from {training.rows} rows; {training.held_back} others were held back"


def executed(execution: Execution) -> str:
    """Return which runtime predicts how many rows: "treelite for up to 252 rows, trees for more"."""
    sizes = sorted(execution.choice)
    parts = [
        f"{name(execution.choice[low])} for up to {limit(low, high) - 1} rows"
        for low, high in pairwise(sizes)
        if execution.choice[low] != execution.choice[high]
    ]
    last = name(execution.choice[sizes[-1]])
    return ", ".join([*parts, f"{last} for more" if parts else last])


def curl(manifest: Manifest, example: Example, *, api: str = API) -> str:
    """Return a shell command that requests a prediction for the example; names and values in it are quoted."""
    body = json.dumps({"instances": [example.instance]}, ensure_ascii=False)
    # A manifest whose signature was not verified may have any text as the model's name.
    model = urllib.parse.quote(manifest.model, safe="", errors="replace")
    return (
        f"curl -s {api}/models/{model}/predict \\\n"
        '  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(printable(body))}"
    )


def seen(column: Column, spread: Distribution | None = None, *, most: int = 8) -> str:
    """
    Return what training saw in a column: "4.3 to 7.9", "Biscoe 168, Dream 124", "only null".

    Args:
        column: The column.
        spread: Its distribution, if that is known.
        most: At most so many categories are named, the most frequent ones.
    """
    if column.kind == "boolean":
        return f"false {spread.counts[0]}, true {spread.counts[1]}" if spread and len(spread.counts) == 2 else ""
    if column.kind == "category" and column.categories:
        return _categories(column, most)
    if column.minimum is None or column.maximum is None:
        return "only null"
    span = f"{number(column.minimum)} to {number(column.maximum)}"
    return f"{span} characters" if column.kind == "text" else span


def _categories(column: Column, most: int) -> str:
    shown, rest = list(column.categories), []
    if len(shown) > most:
        shown.sort(key=lambda category: -category.count)
        shown, rest = shown[:most], shown[most:]
    named = ", ".join(f"{name(category.value)} {category.count}" for category in shown)
    return named + (f", and {_others(len(rest))} in {sum(category.count for category in rest)} rows" if rest else "")


def mostly(spread: Distribution | None) -> str:
    """Return the range of four of five numbers of training; empty if they were too few or too similar."""
    if spread is None or len(spread.edges) != _DECILES:
        return ""
    return f"80 % within {number(spread.edges[0])} to {number(spread.edges[-1])}"


def number(value: float) -> str:
    """Return a number with few digits; integers are not rounded."""
    if isinstance(value, int):
        return str(value)
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def name(value: object, *, longest: int = 60) -> str:
    """Return a label, a category or a column name as short printable text."""
    return shorten(value, longest=longest) or '""'


def names(values: Sequence[object], *, most: int = 20) -> str:
    """Return a list of names of bounded length."""
    rest = len(values) - most
    return ", ".join(map(name, values[:most])) + (f", and {_others(rest)}" if rest > 0 else "")


def _others(count: int) -> str:
    return "1 other" if count == 1 else f"{count} others"
