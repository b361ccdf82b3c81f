"""Columns of dates: how to tell them, and how to put rows into their order."""

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
# A column holds dates if so large a part of its texts are some.
_SHARE = 0.95


def is_date(known: "pd.Series[Any]") -> bool:
    """Whether a column without nulls holds dates, written as texts."""
    if not isinstance(known.dtype, pd.StringDtype):
        return False
    return float(known.str.fullmatch(_DATE).mean()) >= _SHARE


def moments(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """
    When each row was: numbers as they are, texts as dates, those that cannot be read as nulls.

    Of 3/4/2026 the first is the month, unless only the other reading makes dates of all.

    Raises:
        NothingToLearn: It is neither.
    """
    if values.dtype.kind in "iuf":
        return values
    texts = values.astype("str")
    with warnings.catch_warnings():
        # pandas tells what it does where the first date has no format that it knows.
        warnings.simplefilter("ignore", UserWarning)
        ways: list[dict[str, Any]] = [{"format": "ISO8601"}, {}, {"dayfirst": True}]
        readings = [pd.to_datetime(texts, errors="coerce", utc=True, **way) for way in ways]
    best: pd.Series[Any] = max(readings, key=lambda reading: int(reading.notna().sum()))
    if not best.notna().any():
        raise NothingToLearn(
            f"column {values.name!r} holds neither dates nor numbers: write them as 2026-12-31, or leave out the option"
        )
    return best
