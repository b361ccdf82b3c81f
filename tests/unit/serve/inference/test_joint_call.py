"""A joint call: one call of the model for several requests, each of which gets its own rows' predictions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from artifacts import Store
from serve.dialects.native.decoder import NativeDecoder
from serve.inference.cache import RowCache
from serve.inference.calls import Call
from serve.inference.joint_call import JointCall
from serve.inference.model_errors import ModelErrors
from serve.inference.observers import Observers
from serve.inference.registry import LoadedModel
from tests.support import tiny_models
from tests.support.misbehaving_models import BAD, GOOD, NotFinite, Raises


class RecordedCalls(Observers):
    """Keeps the figures of each observation."""

    def __init__(self) -> None:
        super().__init__()
        self.figures: list[tuple[int, int, int | None]] = []

    def add(self, *_: Any, rows: int, valid: int, cached: int | None = None) -> None:
        """Keep them."""
        self.figures.append((rows, valid, cached))


def load(folder: Path, estimator: Any = None) -> LoadedModel:
    """Publish an estimator and load it."""
    store = Store(folder)
    tiny_models.make(estimator=estimator).publish(store)
    bundle = store.load("tiny", 1)
    return LoadedModel("tiny", 1, bundle, NativeDecoder(bundle.manifest, tiny_models.LIMITS))


def make(model: LoadedModel, cache: RowCache | None = None) -> tuple[JointCall, RecordedCalls, list[int]]:
    """Return a joint call, its observations and the versions of failed calls."""
    failed: list[int] = []
    observers = RecordedCalls()
    errors = ModelErrors(lambda _model, version: failed.append(version))
    return JointCall(model, errors, observers, cache), observers, failed


@pytest.mark.parametrize("cache", [None, RowCache(100)], ids=["uncached", "cached"])
def test_each_call_gets_the_predictions_of_its_rows(tmp_path: Path, cache: RowCache | None) -> None:
    """They are those of a call with the same rows alone; rows may be lists or a table."""
    model = load(tmp_path)
    joint, observers, _ = make(model, cache)
    sent: list[Any] = [[[0.5, 1]], [[6.0, 9], [0.5, 1]], tiny_models.table()]

    together = joint([Call(model, rows) for rows in sent])
    alone = [joint([Call(model, rows)])[0] for rows in sent]

    for got, expected in zip(together, alone, strict=True):
        assert got is not None
        assert expected is not None
        assert got.labels.tolist() == expected.labels.tolist()
        assert np.allclose(np.asarray(got.probabilities), np.asarray(expected.probabilities), rtol=0, atol=1e-12)
    cached = [None] * 4 if cache is None else [3, 1, 2, 6]
    assert observers.figures == [(rows, rows, known) for rows, known in zip((9, 1, 2, 6), cached, strict=True)]


def test_a_call_with_an_invalid_prediction_gets_none(tmp_path: Path) -> None:
    """The other calls get their predictions, and only their rows count as predicted."""
    model = load(tmp_path, NotFinite())
    joint, observers, failed = make(model)

    first, bad, third = joint([Call(model, [GOOD]), Call(model, [GOOD, BAD]), Call(model, [GOOD])])

    assert first is not None
    assert third is not None
    assert bad is None
    assert (observers.figures, failed) == ([(4, 2, None)], [])


@pytest.mark.parametrize(("calls", "failures"), [(1, 0), (2, 1)])
def test_an_exception_is_recorded_only_for_several_calls(tmp_path: Path, calls: int, failures: int) -> None:
    """A single call is repeated separately, and its failure recorded then."""
    model = load(tmp_path, Raises())
    joint, _, failed = make(model)

    with pytest.raises(KeyError):
        joint([Call(model, [BAD])] * calls)

    assert len(failed) == failures


def test_probabilities_are_computed_only_if_a_call_wants_them(tmp_path: Path) -> None:
    """In a call of several, one that wants them is enough."""
    model = load(tmp_path)
    joint, _, _ = make(model)
    without, wanted = Call(model, [GOOD], probabilities=False), Call(model, [GOOD])

    results = [joint(calls)[0] for calls in ([without], [without, without], [without, wanted])]

    assert [result is not None and result.probabilities is not None for result in results] == [False, False, True]
