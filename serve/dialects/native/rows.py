"""What was sent as `instances`, turned into a checked batch or into a list of mistakes."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np

from artifacts.errors import printable
from artifacts.signature import Batch, Signature
from artifacts.values import Fault, takes_integers
from serve.errors import InvalidInput, InvalidRows, Mistake

_LONGEST_ECHO = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may be, and what an error may tell."""

    max_depth: int = 32
    max_rows: int = 1000
    max_columns: int = 1024
    max_digits: int = 64
    max_errors: int = 20
    show_values: bool = False


class MaybeRounded(Exception):
    """A float was sent for an integer; which integer its text stands for, the float does not say."""


class Rows:
    """Turns what was sent as `instances` into a checked batch; no Python call per row where all rows are right."""

    def __init__(self, signature: Signature, limits: Limits) -> None:
        self.limits = limits
        self.signature = signature
        self.names = signature.names
        self._ignores_unknown = signature.unknown_names == "ignore"
        self._known = frozenset(self.names)
        # What the model ignores may be left out of an object.
        self._filling = {column.name: column.example for column in signature.columns if not column.required}
        self._width = len(self.names)
        self._integers = [place for place, column in enumerate(signature.columns) if takes_integers(column)]
        pick = itemgetter(*self.names)
        self._pick: Callable[[Mapping[str, object]], Sequence[object]] = (
            pick if self._width > 1 else lambda row: (pick(row),)
        )

    def check(self, value: object) -> Batch:
        """
        Check all instances.

        Raises:
            InvalidInput: What was sent is not a list of rows of one kind, or too large.
            MaybeRounded: A column of integers has a float: parse the body again, with the text of each float.
        """
        if not isinstance(value, list):
            raise InvalidInput("invalid-instances", "instances must be a list of rows")
        if not value:
            raise InvalidInput("no-rows", "instances is empty: send at least one row")
        if len(value) > self.limits.max_rows:
            raise InvalidInput(
                "too-many-rows",
                f"{len(value)} rows were sent, and a request may have {self.limits.max_rows}: send a CSV instead, "
                "or several requests",
            )
        kinds = set(map(type, value))
        if not kinds & {list, dict}:
            raise InvalidInput("flat-vector", "instances is a list of rows: wrap a single vector, [[...]]")
        if kinds >= {list, dict}:
            raise InvalidInput("mixed-instances", "send all rows as vectors or all as objects, not both")
        rows = [row for row in value if isinstance(row, list | dict)]
        longest = max(map(len, rows))
        most = max(self.limits.max_columns, self._width)
        if longest > most:
            raise InvalidInput("too-many-features", f"a row has {longest} values, and at most {most} may be")
        if self._filling and dict in kinds:
            value = [{**self._filling, **row} if isinstance(row, dict) else row for row in value]
        return self._rows(value, kind=list if list in kinds else dict)

    def _rows(self, rows: list[Any], *, kind: type) -> Batch:
        vectors = self._vectors(rows) if kind is list else self._records(rows)
        if vectors is not None:
            return self.signature.check(self._table(vectors), max_digits=self.limits.max_digits)
        judge = self._judge_vector if kind is list else self._judge_record
        return self._one_by_one(rows, judge)

    def _vectors(self, rows: list[Any]) -> Iterable[Sequence[object]] | None:
        plain = set(map(type, rows)) == {list} and set(map(len, rows)) == {self._width}
        return rows if plain else None

    def _records(self, rows: list[Any]) -> Iterable[Sequence[object]] | None:
        if set(map(type, rows)) != {dict}:
            return None
        if not self._ignores_unknown and set(map(len, rows)) != {self._width}:
            return None
        try:
            return list(map(self._pick, rows))
        except KeyError:
            return None

    def _one_by_one(self, rows: list[Any], judge: Callable[[Any], "list[_RowFault]"]) -> Batch:
        """Some row is wrong as a whole: file the mistakes, check the others as ever."""
        found: dict[_RowFault, list[int]] = {}
        whole: list[int] = []
        for index, row in enumerate(rows):
            wrong = judge(row)
            for fault in wrong:
                found.setdefault(fault, []).append(index)
            if not wrong:
                whole.append(index)
        faults = [Fault(fault.code, fault.message, np.array(at), fault.column) for fault, at in found.items()]
        vectors = [row if isinstance(row, list) else self._pick(row) for row in map(rows.__getitem__, whole)]
        return self.signature.check(
            self._table(vectors) if vectors else [()] * self._width,
            rows=np.array(whole, dtype=np.intp),
            size=len(rows),
            faults=faults,
            max_digits=self.limits.max_digits,
        )

    def _table(self, vectors: Iterable[Sequence[object]]) -> list[tuple[object, ...]]:
        """Transpose rows into columns."""
        table = list(zip(*vectors, strict=True))
        # A float with its text is of another type.
        if any(float in set(map(type, table[place])) for place in self._integers):
            raise MaybeRounded
        return table

    def _judge_vector(self, row: object) -> "list[_RowFault]":
        if not isinstance(row, list):
            return [_NOT_A_ROW]
        if len(row) == self._width:
            return []
        order = ", ".join(self.names[:8]) + (", ..." if self._width > 8 else "")
        return [_RowFault("wrong-length", f"expected {self._width} values ({order}), got {len(row)}")]

    def _judge_record(self, row: object) -> "list[_RowFault]":
        if not isinstance(row, dict):
            return [_NOT_A_ROW]
        missing = [name for name in self.names if name not in row]
        unknown = [] if self._ignores_unknown else [name for name in row if name not in self._known]
        faults = [_RowFault("missing-column", "this column is missing", name) for name in missing]
        if unknown:
            more = f", nor are {len(unknown) - 1} others" if len(unknown) > 1 else ""
            faults.append(_RowFault("unknown-column", f"not a column of this model{more}", _short(unknown[0])))
        return faults


@dataclass(frozen=True, slots=True)
class _RowFault:
    """What is wrong with a whole row."""

    code: str
    message: str
    column: str | None = None


_NOT_A_ROW = _RowFault("not-a-row", "expected a row: a list of values, or an object by name")


def mistakes(faults: Sequence[Fault], names: Sequence[str]) -> list[Mistake]:
    """Every mistake of a batch, by row and then by column."""
    return _listed(faults, names, sent=None, most=None)


def invalid_rows(faults: Sequence[Fault], sent: Sequence[Any], rows: Rows) -> InvalidRows:
    """The error that a request with these faults ends in; of each fault, the first rows are listed."""
    codes = {fault.code for fault in faults}
    listed = _listed(
        faults,
        rows.names,
        sent=sent if rows.limits.show_values else None,
        most=rows.limits.max_errors,
    )
    total = sum(len(fault.rows) for fault in faults)
    return InvalidRows(listed, total=total, code=codes.pop() if len(codes) == 1 else "invalid-instances")


def _listed(faults: Sequence[Fault], names: Sequence[str], *, sent: Any, most: int | None) -> list[Mistake]:
    place = {name: index for index, name in enumerate(names)}
    where = [place.get(fault.column or "", -1) for fault in faults]
    # Only the first rows of each fault can be among the first of all.
    entries = chain.from_iterable(
        ((int(row), where[number], number) for row in np.sort(fault.rows)[:most]) for number, fault in enumerate(faults)
    )
    found = []
    for row, column, number in sorted(entries)[:most]:
        fault = faults[number]
        message = fault.message
        if sent is not None and column >= 0 and fault.code != "missing-column":
            value = sent[row][column] if isinstance(sent[row], list) else sent[row][fault.column]
            message += f", got {_cut(_shown(value))}"
        found.append(Mistake(row, fault.column, fault.code, message))
    return found


def _short(text: str) -> str:
    return _cut(printable(text[: _LONGEST_ECHO + 1]))


def _shown(value: object) -> str:
    """A value in JSON's words, a text in quotes of ours."""
    return repr(value) if isinstance(value, str) else json.dumps(value, default=repr)


def _cut(printable: str) -> str:
    return printable if len(printable) <= _LONGEST_ECHO else printable[: _LONGEST_ECHO - 1] + "…"
