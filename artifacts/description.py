"""What a manifest says, in words for people: the terminal and the model card tell the same."""

import json
import shlex
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from artifacts.columns import Column, Scalar
from artifacts.manifest import Distribution, Execution, Manifest, Prediction, Promise, Training, limit
from artifacts.text import printable, shorten

# Where a server of the README answers.
API = "http://127.0.0.1:8000/api/v1"
# Up to so many columns a row is shown by name; beyond, as a vector.
_MOST_NAMED = 32
_LONGEST_SENT = 32_768
_DECILES = 9


@dataclass(frozen=True, slots=True)
class Example:
    """A row that works, by column, and what the model answers for it; `probability` is that of its answer."""

    row: dict[str, Scalar]
    prediction: Prediction
    probability: float | None

    @property
    def instance(self) -> dict[str, Scalar] | list[Scalar]:
        """The row as one would send it: by name where that can be read."""
        return self.row if len(self.row) <= _MOST_NAMED else list(self.row.values())


def example_of(manifest: Promise) -> Example | None:
    """The example that is shown: the one with the fewest nulls, then the shortest; None where none can be shown."""
    examples = manifest.examples
    best = min(range(len(examples.instances)), key=lambda row: _burden(examples.instances[row]), default=None)
    if best is None or _burden(examples.instances[best])[1] > _LONGEST_SENT:
        return None
    try:
        return _example(manifest, best)
    except (ValueError, IndexError):
        # A manifest that nobody vouches for need not fit together.
        return None


def _example(manifest: Promise, row: int) -> Example:
    prediction, sure = manifest.examples.predictions[row], manifest.examples.probabilities
    return Example(
        row=dict(zip(manifest.signature.names, manifest.examples.instances[row], strict=True)),
        prediction=prediction,
        probability=None if sure is None else sure[row][manifest.classes.index(prediction)],
    )


def _burden(row: Sequence[Scalar]) -> tuple[int, int]:
    return sum(value is None or value == "" for value in row), len(json.dumps(row))


def published(manifest: Manifest) -> str:
    """One line for the publisher: which version it is, where it is, who signed it and how it goes live."""
    version = f"published {manifest.model} version {manifest.version}"
    known = manifest.publication
    return version if known is None else f"{version} in {known.store}, signed with key {known.key}; {known.live}"


def learned(training: Training, *, sampled: bool) -> str:
    """From how many rows a model learned, and how many judged it: "from 120 rows; 30 others were held back"."""
    if sampled:
        return f"from rows that are not known; columns are described by a sample of {training.rows} rows"
    return f"from {training.rows} rows; {training.held_back} others were held back"


def executed(execution: Execution) -> str:
    """Which runtime predicts how many rows: "treelite for up to 252 rows, trees for more"."""
    sizes = sorted(execution.choice)
    parts = [
        f"{name(execution.choice[low])} for up to {limit(low, high) - 1} rows"
        for low, high in pairwise(sizes)
        if execution.choice[low] != execution.choice[high]
    ]
    last = name(execution.choice[sizes[-1]])
    return ", ".join([*parts, f"{last} for more" if parts else last])


def curl(manifest: Manifest, example: Example, *, api: str = API) -> str:
    """A command for a shell that asks for the example; what stands in it is data to the shell, whatever it is."""
    body = json.dumps({"instances": [example.instance]}, ensure_ascii=False)
    # A manifest that nobody vouches for may call its model what it likes.
    model = urllib.parse.quote(manifest.model, safe="", errors="replace")
    return (
        f"curl -s {api}/models/{model}/predict \\\n"
        '  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(printable(body))}"
    )


def seen(column: Column, spread: Distribution | None = None, *, most: int = 8) -> str:
    """
    What training saw in a column: "4.3 to 7.9", "Biscoe 168, Dream 124", "only null".

    Args:
        column: The column.
        spread: How it was spread, if that is known.
        most: Up to so many categories are named, beyond that the most frequent ones.
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
    """Where four of five numbers of training lay; empty where they were too few or too alike to say."""
    if spread is None or len(spread.edges) != _DECILES:
        return ""
    return f"80 % within {number(spread.edges[0])} to {number(spread.edges[-1])}"


def number(value: float) -> str:
    """A number of few digits: whole ones stay whole."""
    if isinstance(value, int):
        return str(value)
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def name(value: object, *, longest: int = 60) -> str:
    """A label, a category or a column, of bounded length and without what a terminal would obey."""
    return shorten(value, longest=longest) or '""'


def names(values: Sequence[object], *, most: int = 20) -> str:
    """A list of them, of bounded length."""
    rest = len(values) - most
    return ", ".join(map(name, values[:most])) + (f", and {_others(rest)}" if rest > 0 else "")


def _others(count: int) -> str:
    return "1 other" if count == 1 else f"{count} others"
