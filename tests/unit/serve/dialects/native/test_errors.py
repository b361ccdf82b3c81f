"""The faults of a batch become a list of errors, by row and then by column."""

import numpy as np
import pytest

from artifacts.text import shorten
from artifacts.values import Fault
from serve.dialects.native.errors import LONGEST, all_errors, invalid_rows
from serve.dialects.native.limits import Limits

FAULTS = (
    Fault("null", "no null", np.array([2, 0]), "b"),
    Fault("not-a-number", "no number", np.array([0]), "a"),
    Fault("wrong-length", "too short", np.array([1])),
)


def _limits(*, max_errors: int = 20, show_values: bool = False) -> Limits:
    return Limits(
        max_depth=9, max_rows=9, max_columns=9, max_digits=9, max_errors=max_errors,
        show_values=show_values,
    )  # fmt: skip


def test_errors_are_listed_by_row_and_column() -> None:
    """Errors of a row have the order of the model's columns; an error of the whole row has no column."""
    listed = [(error.row, error.column, error.code) for error in all_errors(FAULTS, ["a", "b"])]

    assert listed == [(0, "a", "not-a-number"), (0, "b", "null"), (1, None, "wrong-length"), (2, "b", "null")]


def test_a_refusal_lists_the_first_errors_and_counts_all() -> None:
    """Its code is that of the faults, if all have the same."""
    refusal = invalid_rows(FAULTS, (), ["a", "b"], _limits(max_errors=1))

    assert (refusal.total, len(refusal.errors), refusal.code) == (4, 1, "invalid-instances")
    assert invalid_rows(FAULTS[:1], (), ["a", "b"], _limits()).code == "null"


@pytest.mark.parametrize("rows", [[["x" * 99, None]] * 3, [{"a": "x" * 99, "b": None}] * 3])
def test_values_are_shown_if_allowed(rows: list[object]) -> None:
    """If configured, messages contain values of vectors and objects, shortened."""
    first, second, *_ = invalid_rows(FAULTS, rows, ["a", "b"], _limits(show_values=True)).errors

    assert first.message == f"no number, got '{'x' * 62}…"
    assert second.message == "no null, got null"


def test_a_name_of_a_caller_is_short_and_printable() -> None:
    """A name from a client is escaped and cut, because logs and terminals show it."""
    assert shorten("a\n" + "b" * 99, longest=LONGEST) == "a\\n" + "b" * 60 + "…"
