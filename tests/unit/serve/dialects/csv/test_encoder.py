"""CSV responses: lines are returned unchanged, and cells that were read one by one as the csv module writes them."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifacts.predictions import Predictions, label_map
from artifacts.signature import Batch
from artifacts.values import Fault
from serve.dialects.blocks import Block, encode
from serve.dialects.csv.encoder import CsvEncoder
from serve.dialects.csv.pass_through import Cutter, PassedRows

LABELS = ("a;b", "+1", "=x")


def _encode(cells: list[list[str]], predictions: Predictions, *, escape_all: bool = False) -> list[list[str]]:
    width, rows = len(cells[0]), len(cells)
    batch = Batch(np.empty((rows, 1)), np.ones(rows, dtype=bool), predictions.faults)
    passed = PassedRows(cells, Cutter(width, ";"), np.zeros(rows, dtype=bool))
    labels = LABELS if predictions.label_map is not None else ()
    spread = labels if predictions.probabilities is not None else ()
    encoder = CsvEncoder([f"n{place}" for place in range(width)], labels, spread, ";", escape_all=escape_all)
    written = encoder.header + encode(encoder, Block(batch, np.arange(2, 2 + rows), passed), predictions)
    return list(csv.reader(io.StringIO(written.decode(), newline=""), delimiter=";", strict=True))


@given(cells=st.lists(st.text('a;"\n\r =', max_size=4), min_size=1, max_size=5))
def test_any_cell_is_returned_unchanged(cells: list[str]) -> None:
    """Cells with delimiters, quotes or line breaks, and a single empty cell, are parsed to the sent texts."""
    header, *rows = _encode([[cell] for cell in cells], Predictions(np.arange(len(cells), dtype=float)))

    assert header == ["n0", "prediction", "error"]
    assert rows == [[cell, f"{row}.0", ""] for row, cell in enumerate(cells)]


def test_labels_are_escaped_for_spreadsheets() -> None:
    """A spreadsheet does not read a label as a formula or as another number."""
    spread = np.full((3, 3), 0.25)

    header, *rows = _encode([["x"]] * 3, Predictions(np.arange(3), spread, label_map(LABELS)))

    assert header == ["n0", "prediction", "probability_a;b", "probability_+1", "probability_=x", "error"]
    assert [row[1:] for row in rows] == [[label, "0.25", "0.25", "0.25", ""] for label in ("a;b", "'+1", "'=x")]


@pytest.mark.parametrize(("cell", "written"), [("=1+1", "'=1+1"), ("-5", "-5"), ("-x", "'-x"), ("\uff1dx", "'\uff1dx")])
def test_all_cells_are_escaped_for_spreadsheets_if_configured(cell: str, written: str) -> None:
    """A number is not escaped, whatever its sign."""
    _, row = _encode([[cell]], Predictions(np.array([1.0])), escape_all=True)

    assert row[0] == written


def test_a_row_without_a_prediction_has_its_error_in_the_last_column() -> None:
    """The columns that a prediction would have are empty."""
    fault = Fault("null", "a; b", np.array([0]))
    predictions = Predictions(np.array([-1, 0, 0]), np.full((3, 3), 0.5), label_map(LABELS), (fault,))

    _, first, second, _ = _encode([["x"], ["y"], ["z"]], predictions)

    assert first == ["x", "", "", "", "", "line 2: a; b"]
    assert second == ["y", "a;b", "0.5", "0.5", "0.5", ""]
