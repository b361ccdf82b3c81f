"""What in a table would mislead a model or the one who makes it, each with advice."""

import re
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from train import dates
from train.tables import kind_of

_NAMELESS = re.compile(r"Unnamed: \d+")
_ID_NAME = re.compile(r"(?i:(?:.*[\W_])?(?:id|uuid|guid|index|idx|key|nr|row|serial|number))|.*[a-z](?:Id|ID)")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")
# Fewer rows than these are all different by chance.
_FEWEST = 20
# A column is said to be what all of its cells are but for so few.
_NEARLY_ALL = 0.95
_MOSTLY_NUMBERS = 0.8
_MOST_ODD_CELLS = 3


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


def unfit(X: pd.DataFrame, *, keep: Collection[str] = ()) -> list[Hazard]:
    """The columns that a model must not see; those to keep are kept, whatever they look like, if they hold anything."""
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


def suspicions(X: pd.DataFrame) -> Iterator[Hazard]:
    """The columns of texts that would be numbers, but for how they are written."""
    for name, values in X.items():
        if values.dtype.kind in "iufb" or kind_of(values) == "boolean":
            continue
        known = values.dropna()
        if float(known.str.fullmatch(_DECIMAL_COMMA).mean()) >= _NEARLY_ALL:
            yield Hazard(f"column {name!r} is text: its numbers have a decimal comma", "write them with a point")
            continue
        odd = known[pd.to_numeric(known, errors="coerce").isna()]
        if len(odd) and len(odd) <= (1 - _MOSTLY_NUMBERS) * len(known) and odd.nunique() <= _MOST_ODD_CELLS:
            cells = sorted(odd.unique())
            named = ", ".join(map(repr, cells))
            yield Hazard(
                f"column {name!r} is text, and would be numbers but for {named} in {len(odd)} of {len(known)} rows",
                f"if this means null: --nulls {shlex.quote(','.join(cells))}",
            )


def _short(value: object) -> str:
    text = repr(value.item() if hasattr(value, "item") else value)
    return text if len(text) <= 40 else f"{text[:39]}…"
