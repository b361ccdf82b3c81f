"""`publish`: turn a fitted estimator into a version in the store."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from artifacts import ArtifactSettings, Manifest, Promise, Store
from artifacts.columns import Unknown
from artifacts.description import published
from artifacts.manifest import Label, Training, check_name
from artifacts.number_formats import NumberFormat
from artifacts.predictions import Predictions, label_map
from artifacts.signature import UnknownNames
from artifacts.version_folder import Content
from train import card, own_code
from train.admission import Task, check_target, container_of, labels_of, task_of
from train.chance import chance_warning
from train.compile import compile_model
from train.errors import NotPublishable
from train.evaluate import Evaluation
from train.examples import choose, examples_of, invented_examples
from train.fitted_model import FittedModel
from train.held_back import HeldBack
from train.isolation import load_elsewhere
from train.profile import profile_spread
from train.relaxations import not_required, prove_relaxed, relaxed
from train.request import PublishRequest
from train.round_trip import PROVED, TOLERANCE, prove_round_trip
from train.rows import Rows, as_rows, evenly
from train.signatures import signature_of
from train.unlabelled import widened

_REPEATED = (
    "held_back has the rows of X: its scores and plots describe rows that the model was fitted on, and not new ones; "
    "split the rows before fitting, and pass those that were left out"
)
_LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "joblib")


def publish(  # noqa: PLR0913  # the public API; each has a default
    estimator: Any,
    X: pd.DataFrame | ArrayLike,
    y: ArrayLike | None = None,
    *,
    name: str,
    columns: Sequence[str] | None = None,
    labels: Sequence[str] | Mapping[Any, str] | None = None,
    held_back: tuple[Any, ArrayLike] | None = None,
    scores: Mapping[str, float] | None = None,
    unknown: Unknown = "refuse",
    categories: Mapping[str, Sequence[Any]] | None = None,
    csv_nulls: Sequence[str] = (),
    unknown_names: UnknownNames = "refuse",
    nullable: Sequence[str] = (),
    fractions: Sequence[str] = (),
    number_formats: Mapping[str, NumberFormat] | None = None,
    unlabelled: pd.DataFrame | None = None,
    examples: bool = True,
    sample: bool = False,
    compiled: bool = True,
    promote: bool = True,
    force: bool = False,
    source: str = "",
    tolerance: float = TOLERANCE,
    deadline_s: float | None = None,
    cache: bool = True,
    code: own_code.Paths = (),
    store: Store | None = None,
) -> Manifest:
    """
    Publish a fitted classifier or regressor as a new version in the store, and print one line that says where it is.

    Args:
        estimator: A fitted scikit-learn estimator or Pipeline with one output, as it is to be served; this includes
            those of LightGBM, XGBoost and CatBoost.
        X: Shape (rows, columns), the rows that it was fitted on: a DataFrame of pandas or polars, or an array; for
            a Pipeline that begins with a vectorizer, a Series or a list of texts. Columns, ranges and examples are
            taken from them.
        y: Shape (rows,), the target of these rows; None if it is not at hand.
        name: The model's name in the store.
        columns: The names of an array's columns; by default x0, x1, ...
        labels: The label that callers get for each class: one text per class in ascending order of the classes,
            or a mapping from class to text. None returns the class itself.
        held_back: X and y of rows that the estimator was not fitted on: they give the scores and the card's plots.
        scores: Other known scores, by name.
        unknown: How a text that is not one of a column's categories is handled: `refuse` answers 422, `pass`
            leaves it to the estimator.
        categories: By column, the texts that it may hold in addition to those in X, if X is a sample.
        csv_nulls: Cells of a CSV that mean null in addition to the empty one, such as "NA".
        unknown_names: How a server handles a name in a row that is not a column: `refuse` answers 422, `ignore`
            predicts without it.
        nullable: Columns without nulls in X in which callers may send one; publishing fails unless the model predicts
            such rows, as a pipeline that imputes does.
        fractions: Integer columns in which callers may send fractions, if the model predicts such rows.
        number_formats: By column, how a CSV writes its numbers, where they differ from JSON's.
        unlabelled: Other rows that callers may send, with the columns of X: their nulls and categories are accepted
            too, where the estimator predicts them. They change no type and no range.
        examples: Whether training rows may be shown as examples; if not, the examples are invented.
        sample: Whether X is only a sample of such rows as the estimator was fitted on. Card, `show`, OpenAPI and errors
            then describe the columns as those of a sample.
        compiled: Whether a faster program may predict in place of the estimator, if it is proved to be equal.
        promote: Whether the new version becomes the champion.
        force: Whether it becomes the champion although the key that signs it is new to the model.
        source: Where the rows are from, for the card.
        tolerance: How far a number may differ when the same row is predicted again; beyond 1, relative to its size.
            Single precision needs more than the default.
        deadline_s: How long a prediction may take or wait, in seconds; None: as long as the server allows.
        cache: Whether a server may cache predictions, which it does for models that are slower than its cache.
        code: Files and folders of your own Python code that travel with the version, with what they import from next to
            them. The modules of the estimator's classes and functions are found without being named.
        store: The store to publish to; by default that of SEPAL_ARTIFACTS.

    Returns:
        The manifest of the new version; its `publication` has the facts of the line that was printed.

    Raises:
        NotPublishable: The model or its data cannot be served; the message says what to do.
        ArtifactError: The store cannot hold it: its name is invalid, there is no key to sign it with, or the version
            that was written does not predict as the model did.
    """
    check_name(name)
    store = store or Store.of(ArtifactSettings())
    # Fail now if there is no key to sign with, and not after minutes of proofs.
    store.signer(promote=promote, force=force)
    # These are the parameters of this function, and nothing else.
    return _publish(PublishRequest(**locals()))


def _publish(request: PublishRequest) -> Manifest:
    admitted = _admit(request)
    proof = _prove(request, admitted, _describe(request, admitted))
    pickled, modules = own_code.pickled(request.estimator)
    own = own_code.collect(modules, request.code)
    rows, held_back = admitted.rows, admitted.held_back
    compilation = compile_model(proof.model, rows, tolerance=request.tolerance) if request.compiled else None
    evaluation = held_back.evaluate(request.estimator, admitted.task) if held_back else None
    promise = _promise(
        **_facts(request, admitted, proof, evaluation),
        requires=load_elsewhere(pickled, own, rows.sample(8).data),
        code=tuple(own.sources),
        execution=compilation.execution if compilation else None,
    )
    content = Content(
        promise,
        pickled,
        admitted.labels,
        card=card.writer(proof.model, held_back, evaluation, request.y),
        programs=compilation.programs if compilation else None,
        code=own.sources,
    )
    manifest = request.store.publish(request.name, content, promote=request.promote, force=request.force)
    print(published(manifest))
    for warning in manifest.warnings:
        print(f"warning: {warning}")
    return manifest


@dataclass(frozen=True, slots=True)
class _Admitted:
    """
    An estimator that can be served, and its rows.

    Attributes:
        rows: The training rows, in the container that the estimator was fitted on and with room for what callers may
            send besides.
        labels: Of the classes; empty for a regressor.
    """

    task: Task
    rows: Rows
    labels: tuple[Label, ...]
    held_back: HeldBack | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Proof:
    """
    A model that predicts what callers send as it does offline.

    Attributes:
        columns: The rows that were compared, one list of native values per column.
        predictions: What the model predicts for them.
    """

    model: FittedModel
    columns: list[list[object]]
    predictions: Predictions
    warnings: tuple[str, ...]


def _admit(request: PublishRequest) -> _Admitted:
    """
    Check that the estimator can be served, and that the rows are those that it was fitted on.

    Raises:
        NotPublishable: They are not.
    """
    estimator, task = request.estimator, task_of(request.estimator)
    rows = as_rows(request.X, request.columns)
    if container_of(estimator, rows) != rows.container:
        rows = rows.as_array()
    check_target(estimator, task, rows, request.y)
    if task == "regression" and request.labels is not None:
        raise NotPublishable("labels are for classes, and a regressor has none")
    labels = labels_of(estimator.classes_, request.labels, request.y) if task == "classification" else ()
    held_back = HeldBack.of(request.held_back, rows) if request.held_back else None
    warnings = (_REPEATED,) if held_back and held_back.repeats(rows) else ()
    rows = relaxed(rows, nullable=request.nullable, fractions=request.fractions)
    return _Admitted(task, rows, labels, held_back, warnings)


def _describe(request: PublishRequest, admitted: _Admitted) -> FittedModel:
    """
    Describe the columns that callers send.

    Raises:
        NotPublishable: Callers cannot send one of them.
    """
    signature = signature_of(request, admitted.rows, admitted.labels)
    model = FittedModel(request.estimator, label_map([line.label for line in admitted.labels]), signature)
    return model if request.unlabelled is None else widened(model, admitted.rows, request.unlabelled)


def _prove(request: PublishRequest, admitted: _Admitted, model: FittedModel) -> _Proof:
    """
    Show that callers get the predictions that the model makes offline, also for what X does not show.

    Raises:
        NotPublishable: They do not.
    """
    columns, predictions = prove_round_trip(model, admitted.rows, tolerance=request.tolerance)
    prove_relaxed(model, columns, nullable=request.nullable, fractions=request.fractions)
    model = not_required(model, columns, predictions)
    y = None if request.y is None else np.asarray(request.y).ravel()
    proved_y = None if y is None else y[evenly(len(y), PROVED)]
    chance = chance_warning(request.estimator, admitted.rows.sample(PROVED), predictions, proved_y)
    return _Proof(model, columns, predictions, (chance,) if chance else ())


def _facts(
    request: PublishRequest, admitted: _Admitted, proof: _Proof, evaluation: Evaluation | None
) -> dict[str, Any]:
    """Return the fields of the manifest that follow from the estimator and its rows."""
    model, frame, target = proof.model, admitted.rows.frame, getattr(request.y, "name", None)
    return {
        "task": admitted.task,
        "estimator": repr(request.estimator),
        "signature": model.signature,
        "classes": tuple(line.label for line in admitted.labels),
        "tolerance": request.tolerance,
        "scores": {**(evaluation.scores if evaluation else {}), **(request.scores or {})},
        "libraries": {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
        "examples": examples_of(model, choose(proof.columns, proof.predictions))
        if request.examples
        else invented_examples(model),
        "reference": {column.name: profile_spread(frame[column.name], column) for column in model.signature.columns},
        "training": Training(
            rows=len(frame),
            held_back=evaluation.rows if evaluation else 0,
            source=request.source,
            target=target if isinstance(target, str) else "",
        ),
        "warnings": (*proof.warnings, *admitted.warnings),
        "deadline_s": request.deadline_s,
        "cache": request.cache,
    }


def _promise(**fields: Any) -> Promise:
    try:
        promise = Promise(**fields)
        promise.model_dump_json()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise NotPublishable(f"{first['loc'][0]}: {first['msg']}") from error
    except PydanticSerializationError as error:
        raise NotPublishable(
            "a name, a label or a cell holds half of a surrogate pair, which JSON cannot hold: correct its encoding"
        ) from error
    return promise
