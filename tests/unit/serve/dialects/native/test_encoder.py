"""Responses as bytes, equal to the documented object as pydantic writes it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from artifacts import Manifest, Store
from artifacts.predictions import NO_CLASS, Predictions, label_map
from artifacts.values import Fault
from serve.dialects.native.encoder import NativeEncoder
from tests.support import tiny_models

LABELS = [("a", "b"), (True, False), (1, 2), ('"', "ü],[,")]


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """Classifiers with labels of every type, and a regressor."""
    store = Store(tmp_path_factory.mktemp("store"))
    made = [tiny_models.make(labels=labels) for labels in LABELS]
    return [model.publish(store) for model in (*made, tiny_models.make_regressor())]


def expected(manifest: Manifest, predictions: Predictions, errors: list[Any] | None = None) -> bytes:
    """The documented object, as pydantic writes it."""
    labels = predictions.labels.tolist()
    content: dict[str, Any] = {"model": manifest.model, "version": manifest.version, "predictions": labels}
    if manifest.classes:
        content["classes"] = manifest.classes
    if predictions.probabilities is not None:
        rows = zip(predictions.probabilities.tolist(), labels, strict=True)
        content["probabilities"] = [row if label is not None else None for row, label in rows]
    return to_json(content if errors is None else {**content, "errors": errors})


@given(
    floats=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8),
    with_probabilities=st.booleans(),
    reports=st.booleans(),
)
def test_a_response_is_the_documented_object(
    manifests: list[Manifest], floats: list[float], with_probabilities: bool, reports: bool
) -> None:
    """Byte for byte, whatever the labels and numbers; probabilities are left out if they are not requested."""
    for manifest in manifests:
        numbers = np.array(floats)
        values = (numbers > 0).astype(np.intp) if manifest.classes else numbers
        spread = np.stack([numbers, numbers], axis=1) if manifest.classes else None
        predictions = Predictions(values, spread, label_map(manifest.classes))
        wanted = Predictions(values, spread if with_probabilities else None, label_map(manifest.classes))

        answer = NativeEncoder(manifest).encode(predictions, probabilities=with_probabilities, report=reports)

        assert answer == expected(manifest, wanted, [] if reports else None)
        assert json.loads(answer)


def test_a_row_without_a_prediction_is_null(manifests: list[Manifest]) -> None:
    """Its label, probabilities or number are null, and its fault is listed."""
    fault = Fault("no-answer", "no answer", np.array([1]))
    errors = [{"row": 1, "column": None, "code": "no-answer", "message": "no answer"}]
    spread = np.array([[1, 0], [np.nan, 0], [0, 1.0]])
    for manifest in manifests[:-1]:
        known = label_map(manifest.classes)
        predictions = Predictions(np.array([0, NO_CLASS, 1]), spread, known, (fault,))
        answer = json.loads(NativeEncoder(manifest).encode(predictions, report=True))
        assert answer["predictions"] == [manifest.classes[0], None, manifest.classes[1]]
        assert answer["probabilities"] == [[1, 0], None, [0, 1]]
        assert answer["errors"] == errors
    numbers = Predictions(np.array([1.0, np.nan, 2.0]), faults=(fault,))
    assert json.loads(NativeEncoder(manifests[-1]).encode(numbers, report=True))["predictions"] == [1.0, None, 2.0]


def test_a_label_is_written_unchanged(tmp_path: Path) -> None:
    """Digits, commas and brackets in labels are not confused with the syntax of the list."""
    manifest = tiny_models.make(labels=("],[", "1,2")).publish(Store(tmp_path))

    answer = NativeEncoder(manifest).encode(Predictions(np.array([0, 1]), None, label_map(manifest.classes)))

    assert json.loads(answer)["predictions"] == ["],[", "1,2"]
