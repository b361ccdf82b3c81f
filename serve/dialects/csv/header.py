"""The first line of a CSV: whether it names the model's columns, and if not, what to do about it."""

import re
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import BinaryIO

from artifacts.csv_names import DELIMITERS, distinct_names
from artifacts.number_formats import number_of
from artifacts.signature import Signature
from artifacts.text import printable
from serve.errors import InvalidInput

_CHUNK = 2**20
_MOST_NAMED = 20
_MOST_COMPARED = 100
_LONGEST_NAME = 64


def delimiters(signature: Signature) -> str:
    """Return the delimiters to try, the likeliest first: a comma inside numbers is seldom a delimiter too."""
    formats = [column.numbers for column in signature.columns if column.numbers]
    has_comma = any(numbers.decimal == "," for numbers in formats)
    return "".join(sorted(DELIMITERS, key=",".__eq__)) if has_comma else DELIMITERS


def required_names(signature: Signature) -> list[str]:
    """Return the names that a header must have."""
    return [column.name for column in signature.columns if column.required]


def check_names(header: Sequence[str], added: Sequence[str], *, max_columns: int) -> None:
    """
    Check the names of a header that has those of the model.

    Args:
        header: The names that were sent.
        added: The names that the answer adds.
        max_columns: How many columns a CSV may have.

    Raises:
        InvalidInput: There are too many names, or one of them is there twice.
    """
    names = [name.strip() for name in distinct_names(header)]
    if len(names) > max_columns:
        raise InvalidInput("too-many-features", f"the CSV has more than {max_columns} columns")
    if len(set(names)) < len(names):
        raise InvalidInput("csv-columns", "the first line names a column twice")
    taken = [name for name in added if name.strip() in names]
    if taken:
        raise InvalidInput("csv-columns", f"the answer adds a column {taken[0]}: rename the one that was sent")


def misnamed(file: BinaryIO, header: Sequence[str], signature: Signature) -> InvalidInput:
    """Return the error for a first line that lacks names of the model's columns."""
    named = dict.fromkeys(cell.strip() for cell in header)
    required = required_names(signature)
    if _is_row(named, signature):
        more = ", ..." if len(required) > _MOST_NAMED else ""
        return InvalidInput(
            "csv-columns",
            "the first line has values: it must be the header, which names the columns; expected: "
            f"{', '.join(required[:_MOST_NAMED])}{more}",
        )
    missing = [name for name in required if name not in named][:_MOST_NAMED]
    file.seek(0)
    is_one_line = not re.search(b"[\r\n]", file.read(_CHUNK))
    return InvalidInput(
        "csv-columns",
        f"the first line must name the model's columns, separated by comma, semicolon or tab; missing: "
        f"{', '.join(missing)}{_ONE_LINE if is_one_line else _renames(missing, named, signature)}",
    )


_ONE_LINE = "; the CSV is a single line: curl -d removes line breaks, send it with --data-binary"


def _is_row(named: Collection[str], signature: Signature) -> bool:
    """Whether the first line looks like a row: it names no column, and has a number or a known category."""
    if not set(signature.names).isdisjoint(named):
        return False
    known = {category.value for column in signature.columns for category in column.categories}
    return any(number_of(cell) is not None or cell in known for cell in named)


def _renames(missing: Sequence[str], named: Collection[str], signature: Signature) -> str:
    """Return which names that were sent are probably misspelled."""
    # A few of them: to compare every pair of many long names would take seconds.
    others = [name for name in named if name not in signature.names]
    spelled = {_comparable(name): name[:_LONGEST_NAME] for name in others[:_MOST_COMPARED]}
    near = {name: get_close_matches(_comparable(name), spelled, n=1) for name in missing}
    meant = [f"{printable(spelled[matches[0]])} to {name}" for name, matches in near.items() if matches]
    return f"; rename {', '.join(meant)}" if meant else ""


def _comparable(name: str) -> str:
    """Return a name without what people spell differently."""
    return re.sub(r"[\W_]", "", name.casefold())[:_LONGEST_NAME]
