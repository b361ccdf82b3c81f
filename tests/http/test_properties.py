"""Properties of every table: JSON and CSV agree row by row, and splitting a batch changes nothing."""

import json
import re
from collections.abc import Sequence

import httpx2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris

from serve.dialects.csv.lines import CHUNK_ROWS
from serve.dialects.csv.records import BLOCK_CHARACTERS, BLOCK_ROWS
from tests.support.bodies import COLUMNS, HEADER, as_json, column, instances, quoted, records, table
from tests.support.server import Api

MIXED = ("count", "ratio", "extra")
LINE_BREAK = re.compile(r"\r\n|\r|\n")

# Pairs of the same cell: a JSON literal, and its text in CSV.
Cell = tuple[str, str]


def _is_text(text: str) -> bool:
    """Return whether a CSV cell is neither null nor a number."""
    stripped = text.strip()
    return stripped not in {"", "NA"} and not re.fullmatch(
        r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", stripped
    )


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
numbers = st.one_of(
    st.floats(-1e100, 1e100).map(repr),
    st.floats(-1e3, 1e3, width=32).map(repr),
    st.integers(-200, 200).map(str),
    st.integers(-(10**70), 10**70).map(str),
    st.sampled_from(["5.0", "1e2", "-0", "-0.0", "1E-400", "1e400", "-1e400", "NaN", "Infinity", "-Infinity", "0.50"]),
).map(lambda text: (text, text))
cells: st.SearchStrategy[Cell] = st.one_of(
    numbers,
    numbers,
    st.just(("null", "")),
    st.sampled_from(["true", "false"]).map(lambda text: (text, text)),
    st.one_of(texts, st.sampled_from(["nan", "inf", "1,5", "[1]", "1 2", "=1", "'1", '"', "1\n"]))
    .filter(_is_text)
    .map(lambda text: (json.dumps(text), text)),
)


def lists_of_rows(width: int) -> st.SearchStrategy[list[list[Cell]]]:
    """Return a strategy of up to eight rows."""
    return st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=8)


def _vectors(rows: Sequence[Sequence[Cell]]) -> bytes:
    return instances("[" + ",".join("[" + ",".join(literal for literal, _ in row) + "]" for row in rows) + "]")


def _first_lines(lines: Sequence[str]) -> list[int]:
    """Return the physical line on which each row begins, below a header of one line."""
    breaks = [len(LINE_BREAK.findall(line)) + 1 for line in lines]
    return [2 + sum(breaks[:row]) for row in range(len(lines))]


def _agree(
    api: Api, names: Sequence[str], rows: Sequence[Sequence[Cell]], lines: list[str], csv: httpx2.Response
) -> None:
    """Check that CSV and JSON return the same labels, faults and probabilities for each row, to the last bit."""
    headers = {**api.headers, "Content-Type": "application/json"}
    query = {"on_error": "report"}
    answer = api.server.client.post("/api/v1/predict", content=_vectors(rows), params=query, headers=headers).json()
    reported: dict[int, list[str]] = {}
    for entry in answer["errors"]:
        reported.setdefault(entry["row"], []).append(f"{entry['column']}: {entry['message']}")
    firsts = _first_lines(lines)
    got = records(csv, delimiter=_delimiter(csv))
    assert [record["error"] for record in got] == [
        f"line {firsts[row]}: {'; '.join(reported[row])}" if row in reported else "" for row in range(len(rows))
    ]
    assert [record["prediction"] for record in got] == [_as_cell(label) for label in answer["predictions"]]
    for record, row in zip(got, answer["probabilities"], strict=True):
        spread = [record[f"probability_{_as_cell(name)}"] for name in answer["classes"]]
        assert spread == [""] * len(spread) if row is None else [float(text) for text in spread] == row
    assert set(names) <= set(got[0])


def _delimiter(answer: httpx2.Response) -> str:
    return next(sign for sign in ";\t," if f"{sign}prediction{sign}" in answer.text)


def _as_cell(label: object) -> str:
    return "" if label is None else str(label).lower()


@settings(max_examples=60, deadline=None)
@given(rows=lists_of_rows(4), order=st.permutations(range(4)), delimiter=st.sampled_from(",;\t"), notes=st.data())
def test_csv_and_json_agree(
    api: Api, rows: list[list[Cell]], order: list[int], delimiter: str, notes: st.DataObject
) -> None:
    """Cells of every kind get the same results, in any order of columns, next to an unknown column."""
    passing = notes.draw(st.lists(texts, min_size=len(rows), max_size=len(rows)))
    header = delimiter.join([*(COLUMNS[place] for place in order), "note"])
    lines = [
        delimiter.join([*(quoted(row[place][1]) for place in order), quoted(note)])
        for row, note in zip(rows, passing, strict=True)
    ]

    answer = api.post_csv(table(*lines, header=header))

    _agree(api, COLUMNS, rows, lines, answer)
    assert [record["note"] for record in records(answer, delimiter=delimiter)] == passing


@settings(max_examples=60, deadline=None)
@given(rows=lists_of_rows(3), end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_csv_and_json_agree_for_every_kind_of_column(zoo: Api, rows: list[list[Cell]], end: str) -> None:
    """Integers, float32 and nulls get the same results with any line break."""
    lines = [",".join(quoted(text) for _, text in row) for row in rows]

    answer = zoo.post_csv(table(*lines, header=",".join(MIXED), end=end))

    _agree(zoo, MIXED, rows, lines, answer)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_batch_may_be_split(api: Api, data: st.DataObject) -> None:
    """Two requests get the labels of one request, and numbers within the manifest's tolerance."""
    value = st.floats(-50, 50, allow_nan=False)
    rows = data.draw(st.lists(st.lists(value, min_size=4, max_size=4), min_size=2, max_size=40))
    place = data.draw(st.integers(1, len(rows) - 1))

    whole, *parts = (api.post_json(as_json(part)).json() for part in (rows, rows[:place], rows[place:]))

    assert parts[0]["predictions"] + parts[1]["predictions"] == whole["predictions"]
    distance = np.subtract(parts[0]["probabilities"] + parts[1]["probabilities"], whole["probabilities"])
    assert np.abs(distance).max() <= 1e-9


@pytest.fixture(scope="module")
def flowers() -> list[str]:
    """The 150 flowers as lines of a CSV, and three invalid lines."""
    return [*(",".join(map(repr, row)) for row in load_iris().data.tolist()), "x,1,1,1", "5.1", ",,,"]


@pytest.mark.parametrize(
    "rows", [BLOCK_ROWS, BLOCK_ROWS + 1, CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1, 2 * CHUNK_ROWS + 1]
)
def test_rows_at_the_border_of_a_block_get_the_same_predictions(api: Api, flowers: list[str], rows: int) -> None:
    """Rows of a long CSV get the results that they get in a short one, also first and last in a block."""
    short = records(api.post_csv(table(*flowers)))

    answer = records(api.post_csv(table(*(flowers[row % len(flowers)] for row in range(rows)))))

    assert len(answer) == rows
    for row, record in enumerate(answer):
        same = short[row % len(short)]
        assert record["prediction"] == same["prediction"]
        assert record["error"] == same["error"].replace(f"line {row % len(short) + 2}:", f"line {row + 2}:")


def test_long_rows_at_the_border_of_a_block_get_the_same_predictions(api: Api, flowers: list[str]) -> None:
    """With long rows, and so with short blocks, no row is lost, repeated or numbered wrongly."""
    note = "long\n" * 1000
    count = 3 * BLOCK_CHARACTERS // len(note)
    lines = [f'{flowers[row % 150]},"{note}"' if row % 7 else "short" for row in range(count)]

    answer = api.post_csv(table(*lines, header=f"{HEADER},note"))

    assert column(answer, "note") == [note if row % 7 else "" for row in range(count)]
    errors = column(answer, "error")
    firsts = _first_lines(lines)
    assert errors == ["" if row % 7 else f"line {firsts[row]}: expected 5 cells, got 1" for row in range(count)]
