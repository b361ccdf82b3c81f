"""Columns of dates: how they are recognised, and how rows are ordered by them."""

import re
import warnings
from typing import Any

import pandas as pd

from train.errors import NothingToLearn

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DAY = r"(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2(?:\d{4}|\d{2}))"
_NAMED = rf"(?:\d{{1,2}}[ -]{_MONTH}[ -]\d{{4}}|{_MONTH} \d{{1,2}},? \d{{4}})"
_TIME = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[ap]m)?(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?)?"
_DATE = re.compile(rf"\s*(?:{_DAY}|{_NAMED}){_TIME}\s*", re.IGNORECASE)
# A column holds dates if this share of its texts are dates.
_SHARE = 0.95


def is_date(known: "pd.Series[Any]") -> bool:
    """Return whether a column without nulls holds dates, written as texts."""
    if not isinstance(known.dtype, pd.StringDtype):
        return False
    return float(known.str.fullmatch(_DATE).mean()) >= _SHARE


def moments(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """
    Return the time of each row: numbers unchanged, texts as dates, and null where a text is not a date.

    In 3/4/2026 the first number is the month, unless more texts are dates if it is the day.

    Raises:
        NothingToLearn: The column holds neither numbers nor dates.
    """
    if values.dtype.kind in "iuf":
        return values
    texts = values.astype("str")
    with warnings.catch_warnings():
        # pandas warns if it does not recognise the format of the first date.
        warnings.simplefilter("ignore", UserWarning)
        options: list[dict[str, Any]] = [{"format": "ISO8601"}, {}, {"dayfirst": True}]
        readings = [pd.to_datetime(texts, errors="coerce", utc=True, **each) for each in options]
    best: pd.Series[Any] = max(readings, key=lambda reading: int(reading.notna().sum()))
    if not best.notna().any():
        raise NothingToLearn(
            f"column {values.name!r} holds neither dates nor numbers: write them as 2026-12-31, or leave out the option"
        )
    return best
