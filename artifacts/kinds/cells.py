"""How CSV cells become the values that JSON would have brought: texts, booleans and numbers."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TypeAlias

from pydantic_core import from_json

from artifacts.kinds.base import CellReader
from artifacts.number_formats import FloatLiteral, NumberFormat, number_of

ReadNumber: TypeAlias = Callable[[str], int | float | None]

BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def text_reader(nulls: frozenset[str], known: Collection[object], *, keeps_empty: bool) -> CellReader:
    """
    Return a reader of texts.

    Args:
        nulls: Cells that mean null.
        known: Texts that are values even so.
        keeps_empty: Whether an empty cell is the empty text, and not a null.
    """
    absent = (nulls if keeps_empty else nulls | {""}) - {value for value in known if value or keeps_empty}

    def read(cells: Sequence[str]) -> Sequence[object]:
        return cells if absent.isdisjoint(cells) else [None if cell in absent else cell for cell in cells]

    return read


def boolean_reader(nulls: frozenset[str]) -> CellReader:
    """Return a reader of booleans, in any case or as digits."""
    return partial(_each, nulls=nulls, read=lambda text: BOOLEANS.get(text.lower()))


def number_reader(nulls: frozenset[str], *, is_exact: bool, numbers: NumberFormat | None) -> CellReader:
    """
    Return a reader of numbers.

    Args:
        nulls: Cells that mean null.
        is_exact: Whether a float keeps its text, from which an integer can be taken exactly.
        numbers: How they are written; None is as JSON does.
    """
    real = FloatLiteral if is_exact else float
    if numbers:
        return partial(_each, nulls=nulls, read=partial(numbers.read, real=real))
    return partial(_as_json, nulls=nulls, read=partial(number_of, real=real), types={int} if is_exact else {int, float})


def _as_json(cells: Sequence[str], *, nulls: frozenset[str], read: ReadNumber, types: set[type]) -> Sequence[object]:
    if not nulls or nulls.isdisjoint(map(str.strip, cells)):
        try:
            # All cells at once: a cell can only pass as one number, since "1,2" would make the list longer.
            values = from_json("[" + ",".join(cells) + "]")
        except ValueError:
            values = None
        if isinstance(values, list) and len(values) == len(cells) and types.issuperset(map(type, values)):
            return values
    return _each(cells, nulls=nulls, read=read)


def _each(cells: Sequence[str], *, nulls: frozenset[str], read: Callable[[str], object]) -> Sequence[object]:
    # What is wrong once is often wrong in every row.
    known = {cell: _value(cell.strip(), nulls, read) for cell in set(cells)}
    return [known[cell] for cell in cells]


def _value(text: str, nulls: frozenset[str], read: Callable[[str], object]) -> object:
    if not text or text in nulls:
        return None
    value = read(text)
    return text if value is None else value
