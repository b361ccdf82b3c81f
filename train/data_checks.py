"""Data-quality checks before training: columns that would mislead a model, each with advice."""

import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pandas as pd

from train import dates
from train.cells import ColumnFormat
from train.tables import Table, column_kind

_NAMELESS = re.compile(r"Unnamed: \d+")
_ID_NAME = re.compile(r"(?i:(?:.*[\W_])?(?:id|uuid|guid|index|idx|key|nr|row|serial|number))|.*[a-z](?:Id|ID)")
# In fewer rows all values may be different by chance.
_FEWEST = 20
# The share of texts without a blank from which on a column of distinct texts holds ids.
_NEARLY_ALL = 0.95
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class DataWarning:
    """
    Something in the data that would mislead a model, and what to do about it.

    Attributes:
        column: The column that is left out because of it, if any.
    """

    what: str
    advice: str = ""
    column: str | None = None

    def __str__(self) -> str:
        return f"{self.what} ({self.advice})" if self.advice else self.what


def unusable_columns(X: pd.DataFrame, *, keep: Collection[str] = ()) -> list[DataWarning]:
    """
    Return a warning for each column that must be left out.

    Args:
        X: The rows to learn from.
        keep: Columns that are kept whatever they look like, unless they are constant or have no name.
    """
    warnings = []
    for label, values in X.items():
        name = str(label)
        reason = _without_use(name, values) or (None if name in keep else _misleading(name, values.dropna()))
        if reason:
            what, advice = reason
            warnings.append(DataWarning(f"column {name!r} {what}, and is left out", advice, name))
    return warnings


def _without_use(name: str, values: "pd.Series[Any]") -> tuple[str, str] | None:
    if _NAMELESS.fullmatch(name):
        return "has no name, so that callers cannot send it", "name it in the header if it means something"
    if not values.notna().any():
        return "has no value at all", "callers need not send it"
    if len(values.unique()) == 1:
        return f"is always {_short(values.iloc[0])}", "callers need not send it"
    return None


def _misleading(name: str, known: "pd.Series[Any]") -> tuple[str, str] | None:
    quoted = shlex.quote(name)
    if dates.is_date(known):
        return (
            "holds dates",
            f"derive numbers from them, such as weekdays; to hold back the latest rows: --time-column {quoted}",
        )
    if _is_id(name, known):
        return "identifies rows, as an id does", f"if it is not an id: --keep {quoted}"
    return None


def _is_id(name: str, known: "pd.Series[Any]") -> bool:
    """Return whether all values differ, and count the rows, are single words, or have the name of an id."""
    if len(known) < _FEWEST or known.nunique() < len(known):
        return False
    if column_kind(known) == "text":
        return float((~known.str.strip().str.contains(r"\s")).mean()) >= _NEARLY_ALL
    is_whole = known.dtype.kind in "iu" or (known.dtype.kind == "f" and bool((known % 1 == 0).all()))
    counts = is_whole and known.max() - known.min() == len(known) - 1
    return bool(counts or (is_whole and _ID_NAME.fullmatch(name)))


def near_number_warning(table: Table, name: str, column_format: ColumnFormat) -> DataWarning | None:
    """Return what keeps a column of texts from being numbers, if it nearly is one of numbers."""
    if not column_format.is_nearly_numbers:
        return None
    strays = column_format.strays
    if not strays:
        return DataWarning(
            f"column {name!r} is text: its numbers have {column_format.numbers.words}, and the delimiter is a comma",
            "--decimal ,",
        )
    named = [*map(_short, strays[:_MOST_NAMED]), *(["..."] if len(strays) > _MOST_NAMED else [])]
    lines = table.lines_of(name, strays)
    where = f"on line {lines[0]}" if len(lines) == 1 else f"in {len(lines)} rows, first on line {lines[0]}"
    return DataWarning(
        f"column {name!r} is text, and would be numbers without {', '.join(named)} {where}", _null_advice(strays)
    )


def _null_advice(cells: Collection[str]) -> str:
    if len(cells) > _MOST_NAMED:
        return "correct these cells, or name with --null those that mean null"
    # After a blank, argparse takes a value that begins with a dash for an option.
    options = [f"--null{'=' if cell.startswith('-') else ' '}{shlex.quote(cell)}" for cell in cells]
    return f"if this means null: {' '.join(options)}"


def _short(value: object) -> str:
    text = repr(value.item() if hasattr(value, "item") else value)
    return text if len(text) <= 40 else f"{text[:39]}…"
