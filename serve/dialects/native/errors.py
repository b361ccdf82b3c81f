"""The faults of a batch, as the errors of a request list them."""

import json
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from artifacts.text import shorten
from artifacts.values import Fault
from serve.dialects.native.limits import Limits
from serve.errors import InputError, InvalidRows

# Characters of a caller's text that an error shows.
LONGEST = 64


def all_errors(faults: Sequence[Fault], names: Sequence[str]) -> list[InputError]:
    """Return every fault of every row, by row and then by column."""
    return _listed(faults, names, sent=None, most=None)


def invalid_rows(faults: Sequence[Fault], sent: Sequence[Any], names: Sequence[str], limits: Limits) -> InvalidRows:
    """
    Return the error of a request with these faults, which lists the first rows.

    Args:
        faults: All faults of the request; there is at least one.
        sent: The instances as they were sent, if they are at hand.
        names: The columns of the model.
        limits: How many are listed, and whether values are shown.
    """
    codes = {fault.code for fault in faults}
    listed = _listed(faults, names, sent=sent if limits.show_values else None, most=limits.max_errors)
    total = sum(len(fault.rows) for fault in faults)
    return InvalidRows(listed, total=total, code=codes.pop() if len(codes) == 1 else "invalid-instances")


def _listed(faults: Sequence[Fault], names: Sequence[str], *, sent: Any, most: int | None) -> list[InputError]:
    place = {name: index for index, name in enumerate(names)}
    where = [place.get(fault.column or "", -1) for fault in faults]
    # Only the first rows of each fault can be among the first of all.
    entries = chain.from_iterable(
        ((int(row), where[number], number) for row in np.sort(fault.rows)[:most]) for number, fault in enumerate(faults)
    )
    listed = []
    for row, column, number in sorted(entries)[:most]:
        fault = faults[number]
        message = fault.message
        if sent is not None and column >= 0 and fault.code != "missing-column":
            value = sent[row][column if isinstance(sent[row], list) else fault.column]
            # In JSON, but a text in Python's quotes.
            shown = repr(value) if isinstance(value, str) else json.dumps(value, default=repr)
            message += f", got {shorten(shown, longest=LONGEST)}"
        listed.append(InputError(row, fault.column, fault.code, message))
    return listed
