"""A few rows and what the model answers for them, once it is shown that callers get the same answers."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context, get_config

from artifacts.columns import Scalar
from artifacts.manifest import Examples
from artifacts.predictions import InvalidPredictions, Predictions
from artifacts.runtimes.sklearn_runtime import check_output, predict_rows
from artifacts.self_test import largest_difference
from artifacts.signature import Signature
from train.errors import NotPublishable
from train.profile import invent
from train.rows import Rows

TOLERANCE = 1e-9
EXAMPLES = 32
# Of a table with many columns fewer rows are kept, so that the values are no more than these, or the rows than those.
_EXAMPLE_CELLS = 64_000
_FEWEST_EXAMPLES = 4
# So many rows are sent the way of a caller and compared.
PROVED = 10_000
# And so many of them are sent each by itself.
_ALONE = 16
_SEED = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A fitted estimator and its label map, see `Predictions.label_map`, asked as a server would."""

    estimator: Any
    labels: NDArray[np.object_] | None
    signature: Signature

    @property
    def has_probabilities(self) -> bool:
        """Whether it says how sure it is."""
        return self.labels is not None and hasattr(self.estimator, "predict_proba")

    def answer(self, table: Sequence[Sequence[object]]) -> Predictions:
        """
        Ask with plain values, a list a column.

        Raises:
            NotPublishable: They do not pass the columns' own check, or the model fails on them.
        """
        batch = self.signature.check(table)
        if batch.faults:
            fault = batch.faults[0]
            raise NotPublishable(f"column {fault.column!r}, row {fault.rows[0]} of training: {fault.message}")
        try:
            # A server has not heard of sklearn.set_config, on which an estimator fitted in a notebook may lean.
            with config_context(transform_output="default", assume_finite=False):
                told = predict_rows(
                    self.estimator,
                    self.signature.as_fitted(batch.data),
                    classifies=self.labels is not None,
                    probabilities=self.has_probabilities,
                )
        except Exception as error:
            # A third-party estimator may raise anything here; whatever it is, no server could ask it.
            leans = get_config()["transform_output"] != "default"
            advice = "; in place of sklearn.set_config, call set_output on the pipeline" if leans else ""
            raise NotPublishable(f"the model does not predict what a caller would send: {error}{advice}") from error
        return Predictions(told.values, told.probabilities, self.labels)


def prove(asked: Asked, rows: Rows, *, tolerance: float) -> tuple[list[list[object]], Predictions]:
    """
    Show that rows which come as plain values are answered like the rows that the estimator was fitted on.

    Returns:
        The rows, at most 10,000 of them, as a list of plain values a column; and the answers.

    Raises:
        NotPublishable: They are not.
    """
    if rows.given is not None:
        _prove_converted(asked, rows, tolerance=tolerance)
    sample = rows.sample(PROVED)
    kind = type(asked.estimator).__name__
    expected = _offline(asked, sample)
    table = sample.values()
    got = asked.answer(table)
    apart, alone = _apart(got, expected), _alone(asked, table, got)
    if not apart <= tolerance:
        raise NotPublishable(
            f"{kind} answers otherwise for rows that come from outside than for these rows: is it the X that it was "
            f"fitted on, and is nothing in predict random? {_told(apart, tolerance)}"
        )
    if not alone <= tolerance:
        raise NotPublishable(f"{kind} answers otherwise for a row alone than among others. {_told(alone, tolerance)}")
    return table, got


def _prove_converted(asked: Asked, rows: Rows, *, tolerance: float) -> None:
    """
    Compare the answers for what was passed as X, such as a table of polars, with those for what was made of it.

    Raises:
        NotPublishable: They differ, or there are none for the latter.
    """
    library = type(rows.given).__module__.partition(".")[0]
    advice = (
        "nullable and fractions make other dtypes of whole numbers and booleans: fit it on X with these dtypes"
        if library in {"pandas", "numpy"}
        else f"a server calls the model with what pandas makes of a table of {library}: fit it on X.to_pandas()"
    )
    first = rows.take(np.arange(min(PROVED, len(rows.frame))))
    expected = _offline(asked, Rows(rows.given[:PROVED], first.frame))
    try:
        got = _offline(asked, first)
    except NotPublishable as error:
        raise NotPublishable(f"{error}; {advice}") from error
    apart = _apart(got, expected)
    if not apart <= tolerance:
        raise NotPublishable(f"{advice}. Its answers differ, as they do where nulls are None for one of them, not NaN")


def _apart(got: Predictions, expected: Predictions) -> float:
    """How far two answers to the same rows are apart; infinitely where a label differs."""
    if expected.label_map is None:
        return largest_difference(got.values, expected.values)
    if not np.array_equal(got.values, expected.values):
        return np.inf
    if got.probabilities is None or expected.probabilities is None:
        return 0.0
    return largest_difference(got.probabilities, expected.probabilities)


def _told(apart: float, tolerance: float) -> str:
    if np.isinf(apart):
        return "It gives another class"
    return (
        f"The answers are {apart:g} apart, and may be {tolerance:g}; where that is rounding, as in single precision or "
        "where large terms cancel, fit on float64 and scaled columns, or publish with a tolerance, such as 1e-4"
    )


def _alone(asked: Asked, table: Sequence[Sequence[object]], together: Predictions) -> float:
    """How far the answers to single rows are from those to all of them in one call, at most."""
    count = len(together.values)
    rows = np.unique(np.linspace(0, count - 1, min(_ALONE, count)).astype(int))
    spread = together.probabilities
    same = [
        Predictions(together.values[[row]], None if spread is None else spread[[row]], together.label_map)
        for row in rows
    ]
    single = [asked.answer([[column[row]] for column in table]) for row in rows]
    return max(_apart(got, expected) for got, expected in zip(single, same, strict=True))


def _directly(asked: Asked, rows: Rows, method: str) -> NDArray[Any]:
    """What the estimator says of the rows as they were passed."""
    with warnings.catch_warnings():
        # scikit-learn's own sign that it was fitted on a frame and is asked with an array, or the reverse.
        warnings.filterwarnings("error", message="X (does not have|has feature names)")
        try:
            return np.asarray(getattr(asked.estimator, method)(rows.data))
        except Exception as error:
            # A third-party estimator may raise anything here; whatever it is, these are not rows that it predicts.
            kind = type(asked.estimator).__name__
            raise NotPublishable(f"{kind} does not {method} X, is it what it was fitted on? {error}") from error


def _offline(asked: Asked, rows: Rows) -> Predictions:
    kind, count = type(asked.estimator).__name__, len(rows.frame)
    predicted = _directly(asked, rows, "predict")
    if predicted.ndim > 1 and predicted.shape[1] > 1:
        raise NotPublishable(f"{kind} has several outputs: publish one model an output")
    if predicted.size != count:
        raise NotPublishable(
            f"{kind} gives {predicted.size} predictions for {count} rows: is it the X that it was fitted on? "
            "A vectorizer takes a Series of texts, not a DataFrame"
        )
    if asked.labels is None and not np.isfinite(predicted.astype(np.float64)).all():
        raise NotPublishable(f"{kind} predicts no finite number for some rows of X, and JSON has no other")
    if asked.labels is not None and not np.isin(predicted, asked.estimator.classes_).all():
        raise NotPublishable(f"{kind} predicts what is none of its classes")
    spread = None
    if asked.has_probabilities:
        spread = _directly(asked, rows, "predict_proba")
        if spread.shape != (count, len(asked.estimator.classes_)):
            raise NotPublishable(f"{kind} does not give a probability a class")
        if not np.isfinite(spread).all():
            raise NotPublishable(f"{kind} gives no finite probabilities for some rows of X, and JSON has no other")
    try:
        told = check_output(asked.estimator, predicted, spread, rows=count, classifies=asked.labels is not None)
    except InvalidPredictions as error:
        raise NotPublishable(f"{kind} cannot be served: {error}") from error
    return Predictions(told.values, told.probabilities, asked.labels)


def choose(table: Sequence[Sequence[object]], answers: Predictions) -> list[list[Any]]:
    """Up to 32 of the rows, spread evenly over what the model answers for them; a list a column."""
    told = answers.labels
    order = np.argsort(told if isinstance(told[0], float) else told.astype(str), kind="stable")
    most = _examples(len(table))
    chosen = np.unique(order[np.linspace(0, len(order) - 1, min(most, len(order))).astype(int)])
    return [[column[row] for row in chosen] for column in table]


def _examples(columns: int) -> int:
    return min(EXAMPLES, max(_FEWEST_EXAMPLES, _EXAMPLE_CELLS // columns))


def invented(signature: Signature) -> list[list[Scalar]]:
    """Rows that nobody is: each value drawn from what its column takes, for itself; a list a column."""
    draw = np.random.default_rng(_SEED)
    most = _examples(len(signature.columns))
    return [[invent(column, draw) for _ in range(most)] for column in signature.columns]


def examples_of(asked: Asked, table: Sequence[Sequence[Any]]) -> Examples:
    """Rows, and what the model answers for them all in one call."""
    answers = asked.answer(table)
    return Examples(
        instances=tuple(zip(*table, strict=True)),
        predictions=tuple(answers.labels.tolist()),
        probabilities=None if answers.probabilities is None else tuple(map(tuple, answers.probabilities.tolist())),
    )
