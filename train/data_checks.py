"""What in a table would mislead a model or the one who makes it, each with advice."""

import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pandas as pd

from train import dates
from train.cells import Reading
from train.tables import Table, kind_of

_NAMELESS = re.compile(r"Unnamed: \d+")
_ID_NAME = re.compile(r"(?i:(?:.*[\W_])?(?:id|uuid|guid|index|idx|key|nr|row|serial|number))|.*[a-z](?:Id|ID)")
# Fewer rows than these are all different by chance.
_FEWEST = 20
# A column is said to be what all of its cells are but for so few.
_NEARLY_ALL = 0.95
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Hazard:
    """
    One thing that would mislead, and what to do about it.

    Attributes:
        column: The column that is left out for it, if any.
    """

    what: str
    advice: str = ""
    column: str | None = None

    def __str__(self) -> str:
        return f"{self.what} ({self.advice})" if self.advice else self.what


def unfit(X: pd.DataFrame, *, keep: Collection[str] = ()) -> list[Hazard]:
    """
    The columns that a model must not see.

    Args:
        X: The rows to learn from.
        keep: Columns that are kept whatever they look like, if they hold anything.
    """
    found = []
    for label, values in X.items():
        name = str(label)
        reason = _useless(name, values) or (None if name in keep else _suspect(name, values.dropna()))
        if reason:
            what, advice = reason
            found.append(Hazard(f"column {name!r} {what}, and is left out", advice, name))
    return found


def _useless(name: str, values: "pd.Series[Any]") -> tuple[str, str] | None:
    if _NAMELESS.fullmatch(name):
        return "has no name, so that no caller could send it", "name it in the header if it means something"
    if not values.notna().any():
        return "has no value at all", "callers need not send it"
    if len(values.unique()) == 1:
        return f"is always {_short(values.iloc[0])}", "callers need not send it"
    return None


def _suspect(name: str, known: "pd.Series[Any]") -> tuple[str, str] | None:
    quoted = shlex.quote(name)
    if dates.is_date(known):
        return (
            "holds dates",
            f"make numbers of them, such as weekdays; to judge by the latest rows: --time-column {quoted}",
        )
    if _is_id(name, known):
        return "tells one row from another, as an id does", f"if it is none: --keep {quoted}"
    return None


def _is_id(name: str, known: "pd.Series[Any]") -> bool:
    """Whether no value comes twice, and they count the rows, or are codes of one word, or are named as an id is."""
    if len(known) < _FEWEST or known.nunique() < len(known):
        return False
    if kind_of(known) == "text":
        return float((~known.str.strip().str.contains(r"\s")).mean()) >= _NEARLY_ALL
    is_whole = known.dtype.kind in "iu" or (known.dtype.kind == "f" and bool((known % 1 == 0).all()))
    counts = is_whole and known.max() - known.min() == len(known) - 1
    return bool(counts or (is_whole and _ID_NAME.fullmatch(name)))


def suspicion(table: Table, name: str, reading: Reading) -> Hazard | None:
    """What keeps a column of texts from being numbers, if it nearly is."""
    if not reading.is_nearly_numbers:
        return None
    if not reading.strays:
        return Hazard(
            f"column {name!r} is text: its numbers have {reading.numbers.words}, where a comma separates the columns",
            "--decimal ,",
        )
    named = [*map(_short, reading.strays[:_MOST_NAMED]), *(["..."] if len(reading.strays) > _MOST_NAMED else [])]
    lines = table.lines_of(name, reading.strays)
    where = f"on line {lines[0]}" if len(lines) == 1 else f"in {len(lines)} rows, first on line {lines[0]}"
    return Hazard(
        f"column {name!r} is text, and would be numbers but for {', '.join(named)} {where}",
        _null_advice(reading.strays),
    )


def _null_advice(cells: Collection[str]) -> str:
    if len(cells) > _MOST_NAMED:
        return "correct these cells, or name with --null those that mean null"
    # After a blank, argparse takes what begins with a dash for an option.
    options = [f"--null{'=' if cell.startswith('-') else ' '}{shlex.quote(cell)}" for cell in cells]
    return f"if this means null: {' '.join(options)}"


def _short(value: object) -> str:
    text = repr(value.item() if hasattr(value, "item") else value)
    return text if len(text) <= 40 else f"{text[:39]}…"
