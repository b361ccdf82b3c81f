"""How CSV is read and written."""

import re
from dataclasses import dataclass

DELIMITERS = ",;\t"
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
