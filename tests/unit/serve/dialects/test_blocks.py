"""A block lists the faults of each row, and writes predictions and errors in the order of its rows."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from artifacts.predictions import Predictions
from artifacts.signature import Batch
from artifacts.values import Fault
from serve.dialects.arrays import decimals, strings
from serve.dialects.blocks import Block, encode


class Cells:
    """One column of three rows in any format."""

    def columns(self) -> Sequence[pa.StringArray]:
        return [strings(["a", "b", "c"])]


class Written:
    """A minimal format: a cell, then a number or an error."""

    header = b""

    def sent(self, block: Block) -> Sequence[pa.StringArray | str]:
        return ["\n", *block.passed.columns()]

    def predicted(
        self, values: NDArray[np.float64], probabilities: NDArray[np.float64] | None
    ) -> Sequence[pa.StringArray | str]:
        return [decimals(values[:, None], " "), "" if probabilities is None else decimals(probabilities, " ")]

    def failed(self, errors: Sequence[str]) -> pa.StringArray:
        return strings([f" ({error})" for error in errors])


@given(failed=st.sets(st.integers(0, 2)), has_probabilities=st.booleans())
def test_rows_keep_their_order_whichever_of_them_fail(failed: set[int], has_probabilities: bool) -> None:
    """Each row is followed by its own prediction, or by its own error."""
    faults = tuple(Fault("code", f"wrong {row}", np.array([row])) for row in sorted(failed))
    batch = Batch(np.empty((3, 1)), np.ones(3, dtype=bool), faults)
    spread = np.array([[0.5, 1.5], [2.5, 3.5], [4.5, 5.5]])
    predictions = Predictions(np.arange(3.0), spread if has_probabilities else None, faults=faults)

    written = encode(Written(), Block(batch, np.array([7, 8, 10]), Cells()), predictions)

    shares = [" 0.5 1.5", " 2.5 3.5", " 4.5 5.5"] if has_probabilities else [""] * 3
    rows = [
        f"{cell} (line {line}: wrong {row})" if row in failed else f"{cell} {row}.0{shares[row]}"
        for row, (cell, line) in enumerate([("a", 7), ("b", 8), ("c", 10)])
    ]
    assert written.decode() == "".join(f"{row}\n" for row in rows)


@given(
    found=st.lists(
        st.tuples(st.sampled_from([None, "a", "b"]), st.text("xyz", min_size=1), st.sets(st.integers(0, 5)))
    ),
    long=st.booleans(),
)
def test_the_error_of_a_row_lists_its_faults(found: list[tuple[str | None, str, set[int]]], long: bool) -> None:
    """An error lists the faults of its row in their order, up to a maximum length."""
    size = 900 if long else 1
    faults = [Fault("code", text * size, np.array(sorted(rows), dtype=np.intp), name) for name, text, rows in found]
    batch = Batch(np.empty((6, 1)), np.ones(6, dtype=bool), tuple(faults))
    block = Block(batch, np.array([2, 3, 5, 7, 8, 9]), Cells())

    rows, messages = block.errors(faults)
    errors = dict(zip(rows.tolist(), messages, strict=True))

    for row, line in enumerate(block.lines):
        messages = [f"{name}: {text * size}" if name else text * size for name, text, rows in found if row in rows]
        lengths = np.cumsum([len(message) for message in messages])
        most = max(1, int(np.count_nonzero(lengths <= 2_000)))
        rest = [f"and {len(messages) - most} more"] if most < len(messages) else []
        assert errors.get(row, "") == (f"line {line}: {'; '.join([*messages[:most], *rest])}" if messages else "")
