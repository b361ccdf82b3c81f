"""Models that fail for rows whose `length` is above 1000 only."""

import time
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, LogisticRegression

LIMIT = 1000
BAD = [5000.0, 2]
GOOD = [0.5, 1]
SECRET = "4242.125"


def name_of(kind: type) -> str:
    """The name that a model of this class is published under."""
    return kind.__name__.lower()


def _is_bad(X: Any) -> Any:
    return np.asarray(X["length"] > LIMIT)


class Base(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Calls `wrong_labels` and `wrong_probabilities` with good predictions where a row is above the limit."""

    def predict(self, X: Any) -> Any:
        good = super().predict(X)
        return self.wrong_labels(good, _is_bad(X)) if _is_bad(X).any() else good

    def predict_proba(self, X: Any) -> Any:
        good = super().predict_proba(X)
        return self.wrong_probabilities(good, _is_bad(X)) if _is_bad(X).any() else good

    def wrong_labels(self, good: Any, _bad: Any) -> Any:
        """Return these instead of good labels."""
        return good

    def wrong_probabilities(self, good: Any, _bad: Any) -> Any:
        """Return these instead of good probabilities."""
        return good


class OneTooFew(Base):
    """Returns one label too few."""

    def wrong_labels(self, good: Any, _bad: Any) -> Any:
        return good[:-1]


class OneTooMany(Base):
    """Returns one label too many."""

    def wrong_labels(self, good: Any, _bad: Any) -> Any:
        return np.append(good, good[-1])


class Scalar(Base):
    """Returns a number instead of an array."""

    def wrong_labels(self, good: Any, _bad: Any) -> Any:
        return good[0]


class Nothing(Base):
    """Returns None."""

    def wrong_labels(self, _good: Any, _bad: Any) -> Any:
        return None


class Frame(Base):
    """Returns a frame of two columns."""

    def wrong_labels(self, good: Any, _bad: Any) -> Any:
        return pd.DataFrame({"a": good, "b": good})


class Texts(Base):
    """Returns texts for integer classes."""

    def wrong_labels(self, good: Any, bad: Any) -> Any:
        return np.where(bad, "unheard of", good.astype(str))


class UnknownClass(Base):
    """Returns an integer that is not a class."""

    def wrong_labels(self, good: Any, bad: Any) -> Any:
        return np.where(bad, 7, good)


class ComplexLabels(Base):
    """Returns complex labels."""

    def wrong_labels(self, good: Any, _bad: Any) -> Any:
        return good + 0j


class MaskedLabels(Base):
    """Returns masked labels."""

    def wrong_labels(self, good: Any, bad: Any) -> Any:
        return np.ma.masked_array(good, mask=bad)


class FourProbabilities(Base):
    """Returns four probabilities for two classes."""

    def wrong_probabilities(self, good: Any, _bad: Any) -> Any:
        return np.hstack([good, good]) / 2


class FewerProbabilities(Base):
    """Returns a row of probabilities too few."""

    def wrong_probabilities(self, good: Any, _bad: Any) -> Any:
        return good[:-1]


class ComplexProbabilities(Base):
    """Returns complex probabilities."""

    def wrong_probabilities(self, good: Any, _bad: Any) -> Any:
        return good + 0j


class MaskedProbabilities(Base):
    """Returns masked probabilities."""

    def wrong_probabilities(self, good: Any, bad: Any) -> Any:
        return np.ma.masked_array(good, mask=np.stack([bad, bad], axis=1))


class TextProbabilities(Base):
    """Returns probabilities as texts in an array of objects."""

    def wrong_probabilities(self, good: Any, _bad: Any) -> Any:
        return good.astype(str).astype(object)


class OutOfRange(Base):
    """Returns probabilities of -1 and 2, which sum to 1."""

    def wrong_probabilities(self, good: Any, bad: Any) -> Any:
        return np.where(bad[:, None], [-1.0, 2.0], good)


class SumsToHalf(Base):
    """Returns probabilities that sum to 0.5."""

    def wrong_probabilities(self, good: Any, bad: Any) -> Any:
        return np.where(bad[:, None], good / 2, good)


class Raises(Base):
    """Raises an exception whose text quotes the row."""

    def wrong_labels(self, _good: Any, _bad: Any) -> Any:
        raise KeyError(SECRET)


class NotFinite(Base):
    """Returns NaN for probabilities."""

    def wrong_probabilities(self, good: Any, bad: Any) -> Any:
        return np.where(bad[:, None], np.nan, good)


class Sleeps(Base):
    """Returns after half a minute, or when the process ends."""

    def wrong_labels(self, good: Any, _bad: Any) -> Any:
        time.sleep(30)
        return good


class SleepsShortly(Base):
    """Returns after two seconds."""

    def wrong_labels(self, good: Any, _bad: Any) -> Any:
        time.sleep(2)
        return good


class Breaks(Base):
    """Fails for every row, its examples included, once it has been called with one above the limit."""

    def predict(self, X: Any) -> Any:
        if _is_bad(X).any() or vars(self).get("is_broken"):
            self.is_broken = True
            raise RuntimeError(SECRET)
        return super().predict(X)


class ComplexNumbers(LinearRegression):  # type: ignore[misc]  # as above
    """A regressor that returns complex numbers."""

    def predict(self, X: Any) -> Any:
        good = super().predict(X)
        return good + 0j if _is_bad(X).any() else good


class TextNumbers(LinearRegression):  # type: ignore[misc]  # as above
    """A regressor that returns numbers as texts."""

    def predict(self, X: Any) -> Any:
        good = super().predict(X)
        return good.astype(str).astype(object) if _is_bad(X).any() else good


INVALID: tuple[type[Base], ...] = (
    OneTooFew, OneTooMany, Scalar, Nothing, Frame, Texts, UnknownClass, ComplexLabels, MaskedLabels,
    FourProbabilities, FewerProbabilities, ComplexProbabilities, MaskedProbabilities, TextProbabilities, OutOfRange,
    SumsToHalf,
)  # fmt: skip
INVALID_NUMBERS = (ComplexNumbers, TextNumbers)
