"""The cells of one CSV column, read as JSON would have brought their values."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from pydantic_core import from_json

from artifacts.columns import Column
from artifacts.number_formats import number_of
from artifacts.values import FloatLiteral, takes_integers

Reader: TypeAlias = Callable[[Sequence[str]], Sequence[object]]
ReadNumber: TypeAlias = Callable[[str], int | float | None]

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def reader(column: Column, nulls: frozenset[str]) -> Reader:
    """
    What reads the cells of a column; what does not fit it stays a text, for the check to refuse.

    Args:
        column: Whose cells they are.
        nulls: Cells that mean null besides the empty one; a category that training saw under such a name stays one.
    """
    kinds = {type(value) for value in column.known}
    if column.kind == "text" or (column.kind == "category" and kinds <= {str}):
        return _texts(column, nulls)
    if column.kind == "boolean" or kinds == {bool}:
        return lambda cells: [_boolean(cell.strip(), nulls) for cell in cells]
    is_exact = takes_integers(column)
    real = FloatLiteral if is_exact else float
    if column.numbers:
        return partial(_each, nulls=nulls, read=partial(column.numbers.read, real=real))
    return partial(_numbers, nulls=nulls, read=partial(number_of, real=real), is_exact=is_exact)


def _texts(column: Column, nulls: frozenset[str]) -> Reader:
    # In a column without nulls an empty cell can only be the empty text, if training saw one.
    is_text = column.holds_empty_text and not column.nullable
    absent = (nulls if is_text else nulls | {""}) - frozenset(column.known if is_text else filter(None, column.known))

    def read(cells: Sequence[str]) -> Sequence[object]:
        return cells if absent.isdisjoint(cells) else [None if cell in absent else cell for cell in cells]

    return read


def _boolean(cell: str, nulls: frozenset[str]) -> object:
    return None if not cell or cell in nulls else _BOOLEANS.get(cell.lower(), cell)


def _numbers(cells: Sequence[str], *, nulls: frozenset[str], read: ReadNumber, is_exact: bool) -> Sequence[object]:
    """Numbers that are written as JSON does."""
    if nulls and not nulls.isdisjoint(map(str.strip, cells)):
        return _each(cells, nulls=nulls, read=read)
    try:
        # All cells at once: a cell can only pass as one number, since "1,2" would make the list longer.
        values = from_json("[" + ",".join(cells) + "]")
    except ValueError:
        values = None
    plain = {int} if is_exact else {int, float}
    if isinstance(values, list) and len(values) == len(cells) and plain.issuperset(map(type, values)):
        return values
    return _each(cells, nulls=nulls, read=read)


def _each(cells: Sequence[str], *, nulls: frozenset[str], read: ReadNumber) -> Sequence[object]:
    # What is wrong once is often wrong in every row.
    known = {cell: _number(cell.strip(), nulls, read) for cell in set(cells)}
    return [known[cell] for cell in cells]


def _number(text: str, nulls: frozenset[str], read: ReadNumber) -> object:
    if not text or text in nulls:
        return None
    number = read(text)
    return text if number is None else number
