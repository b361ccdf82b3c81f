"""A single call: rows that the model refuses have a fault, and all other rows have their prediction."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from structlog.testing import capture_logs

from artifacts import Predictions, Store
from serve.dialects.native.decoder import NativeDecoder
from serve.inference.calls import Call
from serve.inference.faults import complete, overdue_predictions
from serve.inference.model_errors import ModelErrors
from serve.inference.registry import LoadedModel
from serve.inference.single_call import predict_single
from tests.support import tiny_models
from tests.support.misbehaving_models import BAD, GOOD, INVALID, Breaks, NotFinite

LONG = [999.0, 2]
ERRORS = partial(ModelErrors, lambda _model, _version: None)


class Refusing(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """Raises for a whole table because of one long row."""

    def predict(self, X: Any) -> Any:
        if (X["length"] > 100).any():
            raise ValueError("too long")
        return super().predict(X)


def load(folder: Path, estimator: Any) -> LoadedModel:
    """Publish an estimator and load it."""
    store = Store(folder)
    tiny_models.make(estimator=estimator).publish(store)
    bundle = store.load("tiny", 1)
    return LoadedModel("tiny", 1, bundle, NativeDecoder(bundle.manifest, tiny_models.LIMITS))


def predict(model: LoadedModel, rows: Any, **more: Any) -> tuple[Predictions, list[tuple[str, list[int]]], list[str]]:
    """Return the predictions, the faults and the recorded errors."""
    with capture_logs() as lines:
        predictions = predict_single(Call(model, rows), ERRORS(), **more)
    faults = [(fault.code, fault.rows.tolist()) for fault in predictions.faults]
    return predictions, faults, [line["error"] for line in lines]


def test_valid_rows_have_no_fault(tmp_path: Path) -> None:
    """Nothing is recorded; without rows there are no predictions."""
    model = load(tmp_path, LogisticRegression())

    predictions, faults, kinds = predict(model, [[0.5, 1], [6.0, 9]])

    assert (predictions.labels.tolist(), faults, kinds) == (["short", "long"], [], [])
    assert len(predict(model, [])[0]) == 0


def test_only_refused_rows_have_no_prediction(tmp_path: Path) -> None:
    """A refused table is predicted in ever smaller parts; when the time is up, the others are not tried."""
    model = load(tmp_path, Refusing())
    rows = [[0.5, 1], LONG, [6.0, 9]]

    patient, patient_faults, kinds = predict(model, rows)
    hasty, hasty_faults, _ = predict(model, rows, retry_s=0)

    assert patient.labels.tolist() == ["short", None, "long"]
    assert (patient_faults, kinds) == ([("no-answer", [1])], ["ValueError"])
    assert hasty.labels.tolist() == [None, None, None]
    assert hasty_faults == [("not-asked", [0, 1, 2])]


@pytest.mark.parametrize(("kind", "code"), [
    (INVALID[0], "model-error"), (NotFinite, "no-answer"), (Breaks, "model-error"),
])  # fmt: skip
def test_a_fault_says_whether_the_model_or_the_row_is_the_reason(tmp_path: Path, kind: type, code: str) -> None:
    """Invalid predictions are a failure of the model, as are exceptions that it raises for its own examples too."""
    model = load(tmp_path, kind())

    predictions, faults, kinds = predict(model, [BAD])

    assert (predictions.labels.tolist(), faults, len(kinds)) == ([None], [(code, [0])], 1)


def test_the_predictions_of_a_batch_have_a_place_for_its_invalid_rows(tmp_path: Path) -> None:
    """Faults of the model name the rows of the batch, and those of the input are kept."""
    model = load(tmp_path, Refusing())
    batch = model.bundle.manifest.signature.check([["x", 0.5, 999.0, 6.0], [1, 1, 2, 9]])

    predictions = predict_single(Call(model, batch.data), ERRORS())
    whole = complete(predictions, batch, model.bundle, probabilities=True)

    assert whole.labels.tolist() == [None, "short", None, "long"]
    assert [(fault.code, fault.rows.tolist()) for fault in whole.faults] == [("not-a-number", [0]), ("no-answer", [2])]


def test_an_overdue_batch_has_no_prediction(tmp_path: Path) -> None:
    """Its valid rows have the fault `deadline`."""
    model = load(tmp_path, LogisticRegression())
    batch = model.bundle.manifest.signature.check([["x", 0.5], [1, 1]])

    predictions = overdue_predictions(model.bundle, batch)

    assert not np.isin(predictions.labels, ["short", "long"]).any()
    assert [(fault.code, fault.rows.tolist()) for fault in predictions.faults] == [
        ("not-a-number", [0]), ("deadline", [1]),
    ]  # fmt: skip


def test_a_batch_of_valid_rows_is_complete(tmp_path: Path) -> None:
    """Only the faults are joined."""
    model = load(tmp_path, LogisticRegression())
    batch = model.bundle.manifest.signature.check([[GOOD[0]], [GOOD[1]]])

    predictions = predict_single(Call(model, batch.data), ERRORS())

    assert complete(predictions, batch, model.bundle, probabilities=True).values is predictions.values
