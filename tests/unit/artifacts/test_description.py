"""The description of a manifest in text."""

import json
import shlex
from typing import Any

import pytest

from artifacts import Column, Store
from artifacts.description import curl, example_of, mostly, name, names, number, seen
from artifacts.manifest import Distribution, Examples
from tests.support import tiny_models


def column(kind: str, dtype: str, **more: Any) -> Column:
    """One column."""
    return Column.model_validate({"name": "c", "kind": kind, "dtype": dtype, "nullable": False, **more})


def category(count: int) -> Column:
    """A category with so many values, the last of them the most frequent."""
    return column("category", "str", categories=[{"value": f"v{n}", "count": n} for n in range(count)])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (column("float", "float64", minimum=4.25, maximum=7.9), "4.25 to 7.9"),
        (column("integer", "int64", minimum=2007, maximum=123456789), "2007 to 123456789"),
        (column("float", "float64", nullable=True), "only null"),
        (column("text", "str", minimum=0, maximum=40), "0 to 40 characters"),
        (column("boolean", "bool"), "false 3, true 4"),
        (category(3), "v0 0, v1 1, v2 2"),
        (category(10), "v9 9, v8 8, v7 7, v6 6, v5 5, v4 4, v3 3, v2 2, and 2 others in 1 rows"),
        (column("category", "str", nullable=False), "only null"),
    ],
    ids=["float", "integer", "empty", "text", "boolean", "category", "many", "no category"],
)
def test_what_training_saw_is_described_by_kind(given: Column, said: str) -> None:
    """Ranges of numbers, lengths of texts, counts of booleans and categories."""
    assert seen(given, Distribution(edges=(), counts=(3, 4), nulls=0)) == said


def test_a_boolean_without_distribution_is_not_described() -> None:
    """Without counts nothing is returned."""
    assert seen(column("boolean", "bool")) == ""


def test_the_usual_range_needs_deciles() -> None:
    """Four of five numbers are between the first and the last decile; without deciles nothing is returned."""
    deciles = Distribution(edges=tuple(map(float, range(1, 10))), counts=(1,) * 10, nulls=0)

    assert mostly(deciles) == "80 % within 1 to 9"
    assert mostly(Distribution(edges=(1.0, 2.0), counts=(1,) * 3, nulls=0)) == ""
    assert mostly(None) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (0.1 + 0.2, "0.3"), (123456.7, "123457"), (1e12, "1e+12"), (-1e-7, "-1e-07"), (5.0, "5")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    """Four digits are shown; integers are not rounded."""
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (7, "7"),
        ("", '""'),
        ("a\x1b[2Jb\n", "a\\u001b[2Jb\\n"),
        ("ü 日", "ü 日"),
        ("x" * 99, "x" * 59 + "…"),
    ],
)
def test_names_are_printable_and_short(value: object, text: str) -> None:
    """Control characters are escaped, and long names are cut."""
    assert name(value) == text


def test_a_list_of_names_is_bounded() -> None:
    """The number of omitted names is shown."""
    assert names(["a", "b", "c"], most=2) == "a, b, and 1 other"
    assert names(["a", "b"], most=2) == "a, b"


def test_the_example_is_the_row_with_the_fewest_nulls() -> None:
    """Of equally complete rows the shortest is shown."""
    examples = Examples(
        instances=((None, 1), (2.5, 100), (2.5, 7)),
        predictions=("a", "b", "long"),
        probabilities=((1, 0), (1, 0), (0.25, 0.75)),
    )
    manifest = tiny_models.make(examples=examples).promise

    example = example_of(manifest)

    assert example is not None
    assert example.row == {"length": 2.5, "leaves": 7}
    assert (example.prediction, example.probability) == ("long", 0.75)


def test_no_example_is_shown_where_there_is_none() -> None:
    """Without examples, or if all are too long, there is none."""
    none = Examples(instances=(), predictions=(), probabilities=None)
    endless = Examples(instances=(("x" * 50_000, 1),), predictions=("long",), probabilities=None)

    assert example_of(tiny_models.make(examples=none).promise) is None
    assert example_of(tiny_models.make(examples=endless).promise) is None


@pytest.mark.parametrize(
    "broken",
    [{"instances": ((1.0,),)}, {"predictions": ()}, {"predictions": ("neither",) * 6}, {"probabilities": ()}],
    ids=str,
)
def test_an_inconsistent_example_is_not_shown(broken: dict[str, Any]) -> None:
    """Rows, predictions and classes of an unverified manifest may not match."""
    examples = tiny_models.make().promise.examples.model_copy(update=broken)

    assert example_of(tiny_models.make(examples=examples).promise) is None


def test_curl_sends_the_example(tmp_path: Any) -> None:
    """The shell passes one body to curl, whatever the values are."""
    examples = Examples(instances=(("it's \u202e$(x)\n", 1),), predictions=("long",), probabilities=None)
    manifest = tiny_models.make().publish(Store(tmp_path)).model_copy(update={"examples": examples})
    example = example_of(manifest)
    assert example is not None

    words = shlex.split(curl(manifest, example).replace("\\\n", ""))

    assert json.loads(words[-1]) == {"instances": [{"length": "it's \u202e$(x)\n", "leaves": 1}]}
    assert "\u202e" not in words[-1]
    assert words[2].endswith("/models/tiny/predict")
