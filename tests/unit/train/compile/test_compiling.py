"""A compiled model predicts like its estimator, and one that cannot be compiled has the reason."""

from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, PowerTransformer, StandardScaler, TargetEncoder
from threadpoolctl import threadpool_limits

from artifacts.runtimes.program import Program, unpack
from artifacts.runtimes.sklearn_runtime import SklearnRuntime
from tests.support.compiled_models import EVERY, HOLED, NUMBERS, THREE, TREES, TWO, WEIGHT, Case, case
from tests.support.published import LINES, MIXED, Y
from train.compile import Compilation, compile_model, thresholds
from train.compile.parity import ParityCase
from train.compile.samples import drawn
from train.fitted_model import FittedModel

WEIGHED = FeatureUnion([("scaled", StandardScaler())], transformer_weights={"scaled": 2.0})
OPEN = OneHotEncoder(handle_unknown="ignore")
THREE_OF_MIXED = Y.to_numpy() + (MIXED["length"] > 1)


def _behind(transformer: Any, column: str) -> Any:
    return make_pipeline(make_column_transformer((transformer, [column])), LogisticRegression())


_EVERY = pytest.mark.parametrize("one", EVERY, ids=lambda one: one.name)


@cache
def _compiled(name: str) -> tuple[FittedModel, Compilation]:
    """Return a fitted model and the result of compiling it."""
    [one] = [one for one in EVERY if one.name == name]
    model, rows = one.model()
    return model, compile_model(model, rows, tolerance=_tolerance(name))


def _tolerance(name: str) -> float:
    return 1e-4 if name == "single precision" else 1e-9


@_EVERY
def test_a_program_is_admitted_and_chosen(one: Case) -> None:
    """Each model has a program that was equal on thousands of rows, and is faster."""
    execution = _compiled(one.name)[1].execution

    programs = set(execution.choice.values()) - {"sklearn"}
    admitted = {each.name: each for each in execution.candidates if each.rows and not each.refused}
    assert programs
    assert programs <= admitted.keys()
    assert all(each.rows > 2_000 and each.disagreements == 0 for each in admitted.values())
    assert all(set(each.microseconds) >= {1, 64, 1_000} for each in admitted.values())


@_EVERY
@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
def test_programs_agree_on_other_random_rows(one: Case) -> None:
    """Every chosen program predicts rows that the proof did not draw like its estimator, in a batch and singly."""
    model, compilation = _compiled(one.name)
    rows = drawn(model.signature, 200, strange=True, seed=64_889)

    # One thread, as in a server: on a busy machine, single rows of histogram boosting take minutes with several.
    with threadpool_limits(1):
        predict = SklearnRuntime(model.estimator, model.signature, classifies=model.is_classifier).predict
        for case_rows, batch in ((rows, 200), (rows[:30], 1)):
            expected = ParityCase.of(partial(predict, probabilities=True), case_rows, batch=batch)
            for program in unpack(compilation.programs or b"").values():
                found = expected.compare(partial(program.predict, probabilities=True), tolerance=_tolerance(one.name))
                assert (found.rows, found.disagreements) == (len(case_rows), 0)


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (case("neighbours", KNeighborsClassifier), "KNeighborsClassifier"),
        (case("power", lambda: make_pipeline(PowerTransformer(), LogisticRegression())), "PowerTransformer"),
        (case("function", lambda: make_pipeline(FunctionTransformer(np.abs), LogisticRegression())), "a function"),
        (case("calibrated", lambda: CalibratedClassifierCV(LogisticRegression())), "CalibratedClassifierCV"),
        (case("loss", lambda: SGDClassifier(loss="modified_huber")), "probabilities of SGDClassifier"),
        (case("counted votes", lambda: VotingClassifier([("a", LogisticRegression())])), "hard voting"),
        (case("exponential", lambda: GradientBoostingClassifier(n_estimators=2, loss="exponential")), "the loss"),
        (
            case("begins", lambda: GradientBoostingClassifier(n_estimators=2, init=LogisticRegression())),
            "an init model",
        ),
        (case("weights", lambda: make_pipeline(WEIGHED, LinearRegression()), y=WEIGHT), "FeatureUnion with weights"),
        (
            case("missing", lambda: make_pipeline(SimpleImputer(missing_values=0.0), LogisticRegression())),
            "missing values are not NaN",
        ),
        (case("texts", lambda: make_pipeline(TfidfVectorizer(), LogisticRegression()), LINES, Y), "TfidfVectorizer"),
        (case("targets", lambda: _behind(TargetEncoder(), "colour"), MIXED, THREE_OF_MIXED), "for several classes"),
        (case("nullable", lambda: _behind(SimpleImputer(), "count"), MIXED, Y), "SimpleImputer over texts"),
        (case("nullable alone", LGBMClassifier, MIXED[["count"]], Y), "'count' has dtype Int64"),
        (
            case("two kinds", lambda: make_pipeline(OPEN, LogisticRegression()), MIXED[["colour", "length"]], Y),
            "over fractions together with texts",
        ),
    ],
    ids=lambda one: one.name if isinstance(one, Case) else "",
)
def test_a_model_without_a_program_has_the_reason(one: Case, reason: str) -> None:
    """The estimator is used, its time is measured, and the reason names the part that cannot be compiled."""
    compilation = one.compiled()

    assert compilation.programs is None
    assert compilation.execution.choice == {1: "sklearn"}
    assert reason in compilation.execution.candidates[1].refused
    assert compilation.execution.candidates[0].microseconds[1] > 0


class Own(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """A subclass whose probabilities are in the reverse order."""

    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(X)[:, ::-1]


def test_a_subclass_is_not_compiled_like_its_base() -> None:
    """A subclass of LogisticRegression may predict in another way."""
    compilation = case("own", Own).compiled()

    assert compilation.programs is None
    assert "Own" in compilation.execution.candidates[1].refused


@pytest.mark.parametrize("name", ["forest", "boosting", "histograms", "tree of numbers"])
def test_a_threshold_that_is_one_unit_off_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is wrong by the least that a float can be, at one split of many, is refused by the proof."""
    one = next(one for one in TREES if one.name == name)

    def planted(known: Any) -> dict[str, Program]:
        return {name: _shifted(program) for name, program in unpack(known).items()}

    monkeypatch.setattr("train.compile.compiling.unpack", planted)

    candidates = {each.name: each for each in one.compiled().execution.candidates}
    assert candidates["trees"].disagreements > 0
    assert "got another prediction" in candidates["trees"].refused


def _shifted(program: Program) -> Program:
    """Return the program with the threshold of its first split one unit lower: a row on it goes the other way."""
    if not hasattr(program.head, "nodes"):
        return program
    nodes = program.head.nodes.copy()
    field = "threshold" if "threshold" in (nodes.dtype.names or ()) else "num_threshold"
    nodes[field][0] = np.nextafter(_met(nodes[field][0]) if field == "threshold" else nodes[field][0], -np.inf)
    return replace(program, head=replace(program.head, nodes=nodes))


def _met(threshold: float) -> float:
    """Return the greatest number that goes left: scikit-learn's trees get single precision."""
    single = np.float32(threshold)
    return float(single if single <= threshold else np.nextafter(single, np.float32(-np.inf)))


def test_more_splits_than_can_be_tried_are_not_admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forest that is too large to prove is not compiled, and the reason has its size."""
    monkeypatch.setattr(thresholds, "MOST_SPLITS", 10)

    compilation = case("forest", lambda: RandomForestClassifier(5, random_state=0), y=THREE).compiled()

    assert compilation.programs is None
    assert "splits, and at most 10 can be proved" in compilation.execution.candidates[1].refused


def test_a_tolerance_admits_single_precision() -> None:
    """A program that differs by rounding is admitted only if the tolerance of the publisher permits it."""
    one = case("single", lambda: make_pipeline(StandardScaler(), LogisticRegression()), NUMBERS.astype("float32"))

    strict, loose = one.compiled(tolerance=0.0), one.compiled(tolerance=1e-4)

    assert strict.execution.choice == {1: "sklearn"}
    assert "tolerance 0)" in strict.execution.candidates[1].refused
    assert set(loose.execution.choice.values()) == {"numpy"}


def test_a_model_that_refuses_nulls_still_does() -> None:
    """A program refuses nulls and too large numbers if its estimator does."""
    compilation = case("boosting", lambda: GradientBoostingClassifier(n_estimators=3)).compiled()

    program = next(iter(unpack(compilation.programs or b"").values()))
    with pytest.raises(ValueError, match="or a null"):
        program.predict(np.array([[np.nan, 0.0, 0.0, 0.0]]), probabilities=True)
    with pytest.raises(ValueError, match="single precision"):
        program.predict(np.array([[1e39, 0.0, 0.0, 0.0]]), probabilities=True)


def test_an_imputer_that_drops_a_column_is_not_compiled() -> None:
    """A column that is null throughout has no statistics, and so no replay."""
    X = pd.DataFrame(HOLED).assign(d=np.nan)

    with pytest.warns(UserWarning, match="Skipping features"):
        compilation = Case("empty", lambda: make_pipeline(SimpleImputer(), LogisticRegression()), X, TWO).compiled()

    assert "drops a column" in compilation.execution.candidates[1].refused


def test_a_program_that_fails_does_not_prevent_publishing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while compiling or trying a candidate becomes its reason."""
    one = case("logistic", LogisticRegression)

    def broken(*_: object, **__: object) -> Any:
        raise KeyError("categories_")

    with monkeypatch.context() as patched:
        patched.setattr("train.compile.compiling.lower", broken)
        unmade = one.compiled()
    with monkeypatch.context() as patched:
        patched.setattr("artifacts.runtimes.heads.Linear.scores", broken)
        unanswered = one.compiled()

    assert unmade.execution.candidates[1].refused == "it cannot be compiled: KeyError"
    assert unanswered.execution.candidates[1].disagreements > 2_000
    assert unmade.programs is unanswered.programs is None
