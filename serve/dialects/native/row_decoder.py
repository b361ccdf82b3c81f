"""The row-by-row decoder: parsed instances become a checked batch, with the faults of invalid rows."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from artifacts.kinds import kind_of
from artifacts.signature import Batch, Signature
from artifacts.text import shorten
from artifacts.values import Fault
from serve.dialects.native.errors import LONGEST
from serve.dialects.native.fast_decoder import picker
from serve.dialects.native.limits import Limits
from serve.errors import InvalidInput


class MaybeRounded(Exception):
    """A float was sent for an integer; the float alone does not determine which integer its text means."""


class RowDecoder:
    """Checks parsed instances; it makes no Python call per row where all rows are valid."""

    def __init__(self, signature: Signature, limits: Limits) -> None:
        self._limits = limits
        self._signature = signature
        self._names = signature.names
        self._ignores_unknown = signature.unknown_names == "ignore"
        self._known = frozenset(self._names)
        # The model ignores these columns, so that an object may lack them.
        self._defaults = {column.name: column.example for column in signature.columns if not column.required}
        self._integers = [place for place, column in enumerate(signature.columns) if kind_of(column).takes_integers]
        self._pick = picker(self._names)

    def check(self, value: object) -> Batch:
        """
        Check all instances.

        Raises:
            InvalidInput: They are not a list of rows of one kind, or too large.
            MaybeRounded: A column of integers has a float: parse the body again, with the text of each float.
        """
        rows = self._listed(value)
        if dict in set(map(type, rows)):
            if self._defaults:
                rows = [{**self._defaults, **row} if isinstance(row, dict) else row for row in rows]
            vectors = self._records(rows)
            return self._one_by_one(rows, self._record_faults) if vectors is None else self._checked(vectors)
        is_whole = set(map(type, rows)) == {list} and set(map(len, rows)) == {len(self._names)}
        return self._checked(rows) if is_whole else self._one_by_one(rows, self._vector_faults)

    def _listed(self, value: object) -> list[Any]:
        limits = self._limits
        if not isinstance(value, list):
            raise InvalidInput("invalid-instances", "instances must be a list of rows")
        if not value:
            raise InvalidInput("no-rows", "instances is empty: send at least one row")
        if len(value) > limits.max_rows:
            raise InvalidInput(
                "too-many-rows",
                f"{len(value)} rows were sent, and a request may have {limits.max_rows}: send a CSV instead, "
                "or several requests",
            )
        types = set(map(type, value)) & {list, dict}
        if not types:
            raise InvalidInput("flat-vector", "instances is a list of rows: wrap a single vector, [[...]]")
        if len(types) > 1:
            raise InvalidInput("mixed-instances", "send all rows as vectors or all as objects, not both")
        longest = max(len(row) for row in value if isinstance(row, list | dict))
        most = max(limits.max_columns, len(self._names))
        if longest > most:
            raise InvalidInput("too-many-features", f"a row has {longest} values, and at most {most} are allowed")
        return value

    def _records(self, rows: list[Any]) -> list[Sequence[object]] | None:
        """Return the rows as vectors if all of them are objects of the model's columns."""
        if set(map(type, rows)) != {dict}:
            return None
        if not self._ignores_unknown and set(map(len, rows)) != {len(self._names)}:
            return None
        try:
            return list(map(self._pick, rows))
        except KeyError:
            return None

    def _checked(self, vectors: Sequence[Sequence[object]], **more: Any) -> Batch:
        columns = list(zip(*vectors, strict=True)) or [()] * len(self._names)
        # A float with its text is of another type.
        if any(float in set(map(type, columns[place])) for place in self._integers):
            raise MaybeRounded
        return self._signature.check(columns, max_digits=self._limits.max_digits, **more)

    def _one_by_one(self, rows: list[Any], find: Callable[[Any], "list[_RowFault]"]) -> Batch:
        """Collect the faults of rows as a whole, and check the values of the others."""
        wrong: dict[_RowFault, list[int]] = {}
        whole: list[int] = []
        for index, row in enumerate(rows):
            faults = find(row) if isinstance(row, list | dict) else [_NOT_A_ROW]
            for fault in faults:
                wrong.setdefault(fault, []).append(index)
            if not faults:
                whole.append(index)
        return self._checked(
            [row if isinstance(row, list) else self._pick(row) for row in map(rows.__getitem__, whole)],
            rows=np.array(whole, dtype=np.intp),
            size=len(rows),
            faults=[Fault(fault.code, fault.message, np.array(at), fault.column) for fault, at in wrong.items()],
        )

    def _vector_faults(self, row: list[object]) -> "list[_RowFault]":
        width = len(self._names)
        if len(row) == width:
            return []
        order = ", ".join(self._names[:8]) + (", ..." if width > 8 else "")
        return [_RowFault("wrong-length", f"expected {width} values ({order}), got {len(row)}")]

    def _record_faults(self, row: dict[str, object]) -> "list[_RowFault]":
        faults = [
            _RowFault("missing-column", "this column is missing", name) for name in self._names if name not in row
        ]
        unknown = [] if self._ignores_unknown else [name for name in row if name not in self._known]
        if unknown:
            more = f", nor are {len(unknown) - 1} others" if len(unknown) > 1 else ""
            faults.append(
                _RowFault("unknown-column", f"not a column of this model{more}", shorten(unknown[0], longest=LONGEST))
            )
        return faults


class _RowFault(NamedTuple):
    """What is wrong with a whole row."""

    code: str
    message: str
    column: str | None = None


_NOT_A_ROW = _RowFault("not-a-row", "expected a row: a list of values, or an object by name")
