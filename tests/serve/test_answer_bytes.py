"""Answers in bytes: what the standard makes of the documented object, however many requests were joined."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from artifacts import Manifest, Store
from artifacts.predictions import NO_CLASS, Predictions
from serve.answers import Answers
from tests import tiny

LABELS = [("a", "b"), (True, False), (1, 2), ('"', "ü],[,")]


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """Classifiers with labels of every type, and a regressor."""
    store = Store(tmp_path_factory.mktemp("store"))
    made = [tiny.make(labels=labels) for labels in LABELS]
    return [model.publish(store) for model in (*made, tiny.make_regressor())]


def expected(manifest: Manifest, told: Predictions) -> bytes:
    """The documented object, as the routes write it."""
    labels: list[Any] = told.values.tolist()
    content: dict[str, Any] = {"model": manifest.model, "version": manifest.version}
    content["predictions"] = [manifest.classes[place] for place in labels] if manifest.classes else labels
    if manifest.classes:
        content["classes"] = manifest.classes
    if told.probabilities is not None:
        content["probabilities"] = told.probabilities.tolist()
    return to_json(content)


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=6),
    floats=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=48, max_size=48),
    with_probabilities=st.booleans(),
)
def test_joined_answers_are_those_of_each(
    manifests: list[Manifest], sizes: list[int], floats: list[float], with_probabilities: bool
) -> None:
    """Each request gets, byte for byte, what it would get alone."""
    rows = sum(sizes)
    for manifest in manifests:
        numbers = np.array(floats)
        predicted = (numbers[:rows] > 0).astype(np.intp) if manifest.classes else numbers[:rows]
        has = with_probabilities and manifest.classes
        told = Predictions(predicted, numbers[: 2 * rows].reshape(rows, 2) if has else None)

        written = Answers(manifest).write(told, sizes)

        start = 0
        for size, answer in zip(sizes, written, strict=True):
            part = slice(start, start + size)
            alone = Predictions(predicted[part], told.probabilities[part] if told.probabilities is not None else None)
            assert answer == expected(manifest, alone)
            assert json.loads(answer)
            start += size


def test_whose_row_has_no_answer_gets_none(manifests: list[Manifest]) -> None:
    """No class, or a number that is none, is nobody's answer but its request's."""
    for manifest in manifests[:-1]:
        told = Predictions(np.array([0, NO_CLASS, 1, 1]), np.array([[1, 0], [1, 0], [0, np.nan], [0, 1.0]]))
        assert [answer is None for answer in Answers(manifest).write(told, [1, 1, 1, 1])] == [False, True, True, False]
        assert [answer is None for answer in Answers(manifest).write(told, [1, 2, 1])] == [False, True, False]
        assert Answers(manifest).write(told, [4]) == [None]
    numbers = Predictions(np.array([1.0, np.inf, 2.0]))
    assert [answer is None for answer in Answers(manifests[-1]).write(numbers, [1, 1, 1])] == [False, True, False]


def test_a_label_is_what_it_was(tmp_path: Path) -> None:
    """Labels of several digits or with brackets in them are not mistaken for the list's own."""
    manifest = tiny.make(labels=("],[", "1,2")).publish(Store(tmp_path))

    [answer] = Answers(manifest).write(Predictions(np.array([0, 1])), [2])

    assert json.loads(answer or b"")["predictions"] == ["],[", "1,2"]
