"""Dates are recognised among texts, and rows are ordered by them."""

import pandas as pd
import pytest

from train.dates import is_date, moments
from train.errors import NothingToLearn


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31",
        "2026/1/31",
        "31.01.2026",
        "1/31/26",
        "2026-01-31T10:00:00Z",
        "2026-01-31 10:00:00.123+01:00",
        "1/31/2026 10:05 PM",
        "31 January 2026",
        "31-Jan-2026",
        "Jan 31, 2026",
        " 2026-01-31 ",
    ],
)
def test_dates_are_recognised(text: str) -> None:
    """The usual ways to write a day, with or without a time."""
    assert is_date(pd.Series([text] * 3))
    assert moments(pd.Series([text] * 3)).notna().all()


@pytest.mark.parametrize(
    "text", ["1.5", "20260131", "10.0.0.1", "1-2", "555-1234", "may", "12:30", "2026", "A-1-2020", "x"]
)
def test_other_texts_are_not_dates(text: str) -> None:
    """Numbers, addresses, versions and words are not dates."""
    assert not is_date(pd.Series([text] * 3))


def test_numbers_are_not_dates() -> None:
    """A number may be a time, but it need not be."""
    assert not is_date(pd.Series([20260131, 20260201]))


def test_a_few_other_cells_do_not_matter() -> None:
    """A column holds dates if nearly all of its cells are dates."""
    assert is_date(pd.Series(["2026-01-31"] * 39 + ["unknown"]))
    assert not is_date(pd.Series(["2026-01-31"] * 9 + ["unknown"]))


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (["2026-02-01", "2026-01-31", "2025-12-31 23:59"], [2, 1, 0]),
        (["03/01/2026", "13/01/2026", "02/01/2026"], [2, 0, 1]),
        (["3/1/2026", "1/13/2026", "2/1/2026"], [1, 2, 0]),
        (["2026-01-01T00:30+01:00", "2026-01-01T00:00Z"], [0, 1]),
    ],
    ids=["days and times", "day first", "month first", "time zones"],
)
def test_rows_stand_in_time(texts: list[str], order: list[int]) -> None:
    """Whether day or month comes first is what makes dates of all of them."""
    assert moments(pd.Series(texts)).sort_values().index.tolist() == order


def test_numbers_are_times_as_they_are() -> None:
    """Years and seconds have their order."""
    assert moments(pd.Series([2026, 2024])).tolist() == [2026, 2024]


def test_what_is_no_date_is_a_null() -> None:
    """Among dates, what cannot be read is left for others to leave out."""
    assert moments(pd.Series(["2026-01-31", "soon", None])).isna().tolist() == [False, True, True]


def test_words_have_no_order_in_time() -> None:
    """A column of other texts is refused by its name."""
    with pytest.raises(NothingToLearn, match="column 'kind' holds neither dates nor numbers"):
        moments(pd.Series(["a", "b"], name="kind"))
