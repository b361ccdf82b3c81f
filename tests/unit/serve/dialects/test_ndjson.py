"""NDJSON: one JSON object per row, whatever its cells contain."""

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from artifacts.predictions import Predictions, label_map
from artifacts.signature import Batch
from artifacts.values import Fault
from serve.dialects.arrays import strings
from serve.dialects.blocks import Block, encode
from serve.dialects.ndjson import NdjsonEncoder
from serve.errors import InvalidInput

LABELS = ('"a"', "\u2028b")


class Cells:
    """One column of cells."""

    def __init__(self, cells: Sequence[str]) -> None:
        self._cells = cells

    def columns(self) -> Sequence[pa.StringArray]:
        return [strings(self._cells)]


def _block(cells: Sequence[str], *faults: Fault) -> Block:
    batch = Batch(np.empty((len(cells), 1)), np.ones(len(cells), dtype=bool), faults)
    return Block(batch, np.arange(2, 2 + len(cells)), Cells(cells))


@given(
    cells=st.lists(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\\n\x85\u2028')), min_size=1)
)
def test_cells_are_texts_without_line_breaks(cells: list[str]) -> None:
    """Each row is one line to any reader, and its cell is the text that was sent."""
    encoder = NdjsonEncoder(["a"], LABELS, LABELS, max_names_bytes=100)
    spread = np.full((len(cells), 2), 0.5)

    lines = encode(
        encoder, _block(cells), Predictions(np.ones(len(cells), dtype=int), spread, label_map(LABELS))
    ).decode()

    rows = [json.loads(line) for line in lines.splitlines()]
    names = ["a", "prediction", 'probability_"a"', "probability_\u2028b", "error"]
    assert rows == [dict(zip(names, [cell, LABELS[1], 0.5, 0.5, None], strict=True)) for cell in cells]
    assert encoder.header == b""


def test_a_row_without_a_prediction_has_its_error() -> None:
    """Its prediction and probabilities are null; the predictions of a regressor are numbers."""
    fault = Fault("null", 'no "null"', np.array([1]), "a")
    encoder = NdjsonEncoder(["a"], (), (), max_names_bytes=100)

    written = encode(encoder, _block(["x", "y"], fault), Predictions(np.array([1.5, np.nan]), faults=(fault,)))

    first = {"a": "x", "prediction": 1.5, "error": None}
    second = {"a": "y", "prediction": None, "error": 'line 3: a: no "null"'}
    assert written == to_json(first) + b"\n" + to_json(second) + b"\n"


def test_names_that_every_line_repeats_have_a_limit() -> None:
    """Otherwise a small upload with long names would cause a large response."""
    with pytest.raises(InvalidInput, match="text/csv"):
        NdjsonEncoder(["a" * 100], (), (), max_names_bytes=100)
