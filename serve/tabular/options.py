"""How CSV is read and written, and the names of the columns that an answer adds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

DELIMITERS = ",;\t"
PREDICTION, PROBABILITY, ERROR = "prediction", "probability_", "error"
# Possessive: nothing is tried twice, so that a long cell takes time in proportion to its length.
NUMBER = re.compile(r"[+-]?(?:[0-9]++\.?+[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """How CSV is read and written."""

    max_columns: int
    max_cell_bytes: int
    max_digits: int
    nulls: frozenset[str]
    escape_all: bool


def added_columns(classes: Sequence[object]) -> list[str]:
    """The columns that stand behind those that came."""
    return [PREDICTION, *(f"{PROBABILITY}{as_text(name)}" for name in classes), ERROR]


def as_text(label: object) -> str:
    """A label as a cell; booleans as they are read."""
    return str(label).lower() if isinstance(label, bool) else str(label)
