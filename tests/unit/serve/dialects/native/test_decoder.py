"""A body is decoded by the fast decoder, or row by row where that cannot decide."""

import json
from pathlib import Path
from typing import Any

import pytest

from artifacts import Batch, Store
from artifacts.signature import Columns
from serve.dialects.native.decoder import NativeDecoder
from serve.errors import InvalidInput, InvalidRows
from tests.support import tiny_models


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> NativeDecoder:
    """Return the decoder of a small model."""
    store: Path = tmp_path_factory.mktemp("store")
    return NativeDecoder(tiny_models.make().publish(Store(store)), tiny_models.LIMITS)


def _body(*rows: Any, blanks: int = 0, **more: Any) -> bytes:
    return b" " * blanks + json.dumps({"instances": rows, **more}).encode()


def test_a_valid_body_needs_no_row_by_row_decoder(decoder: NativeDecoder) -> None:
    """The rows of a valid body have native values in the model's order."""
    for decode in (decoder.decode, decoder.decode_short):
        rows = decode(_body([0.5, 1]))
        assert isinstance(rows, list)
        assert list(map(tuple, rows)) == [(0.5, 1)]


def test_a_body_that_the_fast_decoder_leaves_is_checked_row_by_row(decoder: NativeDecoder) -> None:
    """An integer that a float cannot hold exactly is decoded row by row."""
    decoded = decoder.decode(_body([2**60, 1]))

    assert isinstance(decoded, Batch)
    assert isinstance(decoded.data, Columns)
    assert [array.tolist() for array in decoded.data.arrays] == [[2.0**60], [1]]


def test_invalid_rows_are_refused_or_reported(decoder: NativeDecoder) -> None:
    """`on_error` decides between an error and a list of faults."""
    body = _body([0.5, 1.0], ["x", 1.0])

    with pytest.raises(InvalidRows) as caught:
        decoder.decode(body)
    batch = decoder.decode(body, report=True)

    assert [(error.row, error.code) for error in caught.value.errors] == [(1, "not-a-number")]
    assert isinstance(batch, Batch)
    assert batch.good.tolist() == [True, False]


@pytest.mark.parametrize(("blanks", "row", "is_short"), [
    (2**18, [0.5, 1.0], False),
    (2**12, [0.5, 1.0], True),
    (2**12, ["x", 1.0], False),
    (0, ["x", 1.0], True),
])  # fmt: skip
def test_long_work_is_left_to_a_thread(decoder: NativeDecoder, blanks: int, row: list[Any], is_short: bool) -> None:
    """A large body is not decoded on the event loop, and less of it row by row."""
    assert (decoder.decode_short(_body(row, blanks=blanks), report=True) is not None) is is_short


@pytest.mark.parametrize(("body", "message"), [
    (b"{}", 'the body lacks "instances"'),
    (_body([0.5, 1.0], model="x"), 'the body has a key besides "instances"'),
    (b"[[0.5]]", "the body must be an object"),
])  # fmt: skip
def test_a_body_of_another_shape_is_explained(decoder: NativeDecoder, body: bytes, message: str) -> None:
    """The error shows the expected form of a body."""
    with pytest.raises(InvalidInput, match=message) as caught:
        decoder.decode(body)

    assert caught.value.code == "invalid-body"
