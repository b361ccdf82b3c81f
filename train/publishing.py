"""The one call that turns a fitted estimator into a version in the store."""

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from artifacts import ArtifactSettings, Column, Manifest, Promise, Signature, Store
from artifacts.bundle import Content
from artifacts.columns import Unknown
from artifacts.csv_names import added_columns
from artifacts.description import published
from artifacts.manifest import Examples, Label, Training, check_name
from artifacts.number_formats import NumberFormat
from artifacts.predictions import label_map
from artifacts.signature import UnknownNames
from train import card, own_code
from train.admission import Task, check_target, container_of, lines_of, task_of
from train.chance import chance_warning
from train.compile import compile_model
from train.errors import NotPublishable
from train.evaluate import Evaluation, evaluate
from train.examples import PROVED, TOLERANCE, Asked, choose, examples_of, invented, prove
from train.isolation import load_elsewhere
from train.profile import MOST_CATEGORIES, profile_column, profile_spread
from train.relaxations import not_required, prove_relaxed, relaxed, with_nulls
from train.rows import Rows, as_rows, evenly
from train.unlabelled import widened

_REPEATED = (
    "held_back has the rows of X: its scores and plots describe rows that the model was fitted on, and not new ones; "
    "split the rows before fitting, and pass those that were left out"
)
_LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "joblib")


def publish(  # noqa: PLR0913  # one call for all that a model is; each of these has a default
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
    Put a fitted classifier or regressor into the store as a new version, and print one line that says where it is.

    Args:
        estimator: A fitted scikit-learn estimator or Pipeline with one output, as it shall be served; LightGBM's,
            XGBoost's and CatBoost's are such.
        X: Shape (rows, columns), the rows that it was fitted on: a DataFrame, also one of polars, or an array; for
            a Pipeline that begins with a vectorizer, a Series or a list of texts. Columns, ranges and examples come
            from them.
        y: Shape (rows,), what was to be predicted; None if that is not at hand.
        name: The model's name in the store.
        columns: The names of an array's columns; by default x0, x1, ...
        labels: What callers are told for each class: one text a class in ascending order of the classes,
            or a mapping from class to text. None tells them the class itself.
        held_back: X and y of rows that the estimator has not seen: they give the scores and the card's plots.
        scores: What else is known of its quality, by name.
        unknown: What becomes of a text that is none of a column's categories: `refuse` answers 422, `pass`
            leaves it to the estimator.
        categories: By column the texts that it may hold besides those in X, where X is a sample.
        csv_nulls: Cells of a CSV that mean null besides the empty one, such as "NA".
        unknown_names: How a server handles a name in a row that is not a column: `refuse` answers 422, `ignore`
            predicts without it.
        nullable: Columns without nulls in X in which callers may send one; it is shown that the model predicts such
            rows, as a pipeline that imputes does.
        fractions: Columns of whole numbers in which callers may send fractions, if the model predicts such rows.
        number_formats: How a CSV writes the numbers of a column, by its name, where not as JSON does.
        unlabelled: Other rows that callers may send, with the columns of X: their nulls and categories are accepted
            too, where the estimator predicts them. They change no type and no range.
        examples: Whether rows of training may be shown as examples; if not, they are made up.
        sample: Whether X are only some rows such as it was fitted on. Card, `show`, OpenAPI and errors then call what
            they know of the columns that of a sample.
        compiled: Whether a quicker program may answer in place of the estimator, if it is proved to answer the same.
        promote: Whether the new version becomes the champion.
        force: Whether it becomes the champion although the key that signs it is new to the model.
        source: Where the rows are from, for the card.
        tolerance: How far a number may differ when the model is asked again; beyond 1, in parts of its size.
            Single precision needs more than the default.
        deadline_s: How long a prediction may take or wait, in seconds; None: as long as the server allows.
        cache: Whether a server may cache predictions, which it does for models that are slower than its cache.
        code: Files and folders of your own Python code that travel with the version, and what they import from next to
            them. The modules that the estimator's classes and functions are of are found without being named.
        store: Where to; by default the store of SEPAL_ARTIFACTS.

    Returns:
        The manifest of the new version; its `publication` has the facts of the line that was printed.

    Raises:
        NotPublishable: The model or its data is not what a server can answer for; the message says what to do.
        ArtifactError: No store can hold it: its name is none, there is no key to sign it with, or what was written
            does not answer as it did.
    """
    check_name(name)
    store = store or Store.of(ArtifactSettings())
    # Asked for now, a key that is missing costs no minute of proofs.
    store.signer(promote=promote, force=force)
    if not 0 <= tolerance < np.inf:
        raise NotPublishable(f"tolerance must be a finite number, 0 or more, and is {tolerance}")
    for argument, value, choices in (
        ("unknown", unknown, get_args(Unknown)),
        ("unknown_names", unknown_names, get_args(UnknownNames)),
    ):
        if value not in choices:
            raise NotPublishable(f"{argument} is {value!r}, and must be one of {', '.join(choices)}")
    task = task_of(estimator)
    rows = as_rows(X, columns)
    if container_of(estimator, rows) != rows.container:
        rows = rows.as_array()
    check_target(estimator, task, rows, y)
    if task == "regression" and labels is not None:
        raise NotPublishable("labels are for classes, and a regressor has none")
    lines = lines_of(estimator.classes_, labels, y) if task == "classification" else ()
    rows = relaxed(rows, nullable=nullable, fractions=fractions)
    described = _columns(rows, unknown, real=examples, sample=sample, categories=categories or {})
    described = with_nulls(_with_formats(described, number_formats or {}), nullable)
    signature = Signature(
        container=rows.container, columns=described, csv_nulls=_cells(csv_nulls), unknown_names=unknown_names
    )
    _check_names(signature, lines)
    asked = Asked(estimator, label_map([line.label for line in lines]), signature)
    if unlabelled is not None:
        asked = widened(asked, rows, unlabelled)
    table, answers = prove(asked, rows, tolerance=tolerance)
    prove_relaxed(asked, table, nullable=nullable, fractions=fractions)
    asked = not_required(asked, table, answers)
    chance = chance_warning(estimator, rows.sample(PROVED), answers, _sample(y))
    repeated = _REPEATED if held_back and _is_repeated(held_back[0], X, rows) else ""
    pickled, modules = own_code.pickled(estimator)
    own = own_code.collect(modules, code)
    compilation = compile_model(asked, rows, tolerance=tolerance) if compiled else None
    held_back = _as_fitted(held_back, rows) if held_back else None
    evaluation = _judge(estimator, task, held_back) if held_back else None
    promise = _promise(
        task=task,
        estimator=repr(estimator),
        signature=asked.signature,
        classes=tuple(line.label for line in lines),
        tolerance=tolerance,
        scores={**(evaluation.scores if evaluation else {}), **(scores or {})},
        libraries=_libraries(),
        requires=load_elsewhere(pickled, own, rows.sample(8).data),
        code=tuple(own.sources),
        examples=examples_of(asked, choose(table, answers)) if examples else _made_up(asked),
        reference={column.name: profile_spread(rows.frame[column.name], column) for column in asked.signature.columns},
        training=_training(rows, y, evaluation, source),
        execution=compilation.execution if compilation else None,
        warnings=tuple(filter(None, (chance, repeated))),
        deadline_s=deadline_s,
        cache=cache,
    )
    content = Content(
        promise,
        pickled,
        lines,
        card=card.writer(asked, held_back, evaluation, y),
        programs=compilation.programs if compilation else None,
        code=own.sources,
    )
    manifest = store.publish(name, content, promote=promote, force=force)
    print(published(manifest))
    for warning in manifest.warnings:
        print(f"warning: {warning}")
    return manifest


def _sample(y: ArrayLike | None) -> ArrayLike | None:
    """The values of y for the rows that were proved."""
    told = None if y is None else np.asarray(y).ravel()
    return told if told is None else told[evenly(len(told), PROVED)]


def _as_fitted(held_back: tuple[Any, ArrayLike], rows: Rows) -> tuple[Any, ArrayLike]:
    """The held-back rows as what the others are, which the estimator was fitted on."""
    X, y = held_back
    held = as_rows(X, None if isinstance(X, pd.DataFrame) else list(rows.frame.columns))
    if len(held.frame) != np.asarray(y).size:
        raise NotPublishable(f"held_back has {len(held.frame)} rows of X and {np.asarray(y).size} of y")
    if list(held.frame.columns) != list(rows.frame.columns):
        raise NotPublishable("held_back has other columns than X")
    return (held.as_array() if rows.container == "array" and held.container == "frame" else held).data, y


def _is_repeated(held: Any, X: Any, rows: Rows) -> bool:
    """Whether the held-back rows are those of X in the same order."""
    if held is X or len(held) != len(rows.frame):
        return held is X
    again = as_rows(held, None if isinstance(held, pd.DataFrame | pd.Series) else list(rows.frame.columns)).frame
    return again.reset_index(drop=True).equals(rows.frame.reset_index(drop=True))


def _judge(estimator: Any, task: Task, held_back: tuple[Any, ArrayLike]) -> Evaluation:
    try:
        return evaluate(estimator, task, *held_back)
    except ValueError as error:
        raise NotPublishable(
            f"the model does not predict held_back: {error}; leave such rows out, or make the pipeline take them"
        ) from error


def _columns(
    rows: Rows,
    unknown: Unknown,
    *,
    real: bool,
    sample: bool = False,
    categories: Mapping[str, Sequence[Any]] | None = None,
) -> tuple[Column, ...]:
    """Every column with the dtype that the estimator met it in."""
    is_texts = isinstance(rows.data, np.ndarray) and rows.data.dtype.kind == "U"
    # What a vectorizer is handed is text, however few different ones there were.
    most = 0 if rows.container == "series" else MOST_CATEGORIES
    dtypes = {name: "U" if is_texts else str(values.dtype) for name, values in rows.frame.items()}
    columns = (
        profile_column(
            rows.frame[name],
            name=str(name),
            dtype=dtype,
            unknown=unknown,
            real=real,
            most_categories=most,
            more=(categories or {}).get(str(name), ()),
        )
        for name, dtype in dtypes.items()
    )
    return tuple(column.model_copy(update={"sampled": sample}) for column in columns)


def _with_formats(columns: tuple[Column, ...], formats: Mapping[str, NumberFormat]) -> tuple[Column, ...]:
    """The columns with the way in which a CSV writes their numbers."""
    strange = formats.keys() - {column.name for column in columns if column.kind in {"float", "integer"}}
    if strange:
        raise NotPublishable(f"number_formats names {min(strange)!r}, which is no column of numbers")
    return tuple(column.model_copy(update={"numbers": formats.get(column.name)}) for column in columns)


def _cells(csv_nulls: Sequence[str]) -> tuple[str, ...]:
    if isinstance(csv_nulls, str) or not all(isinstance(cell, str) for cell in csv_nulls):
        raise NotPublishable('csv_nulls is a list of cells as a CSV holds them, texts: ["NA", "-999"]')
    return tuple(csv_nulls)


def _check_names(signature: Signature, lines: tuple[Label, ...]) -> None:
    added = {name.strip() for name in added_columns([line.label for line in lines])}
    clash = sorted(added.intersection(signature.names))
    if clash:
        raise NotPublishable(f"a column is called {clash[0]!r}, as one of those that a CSV answer adds: rename it")


def _made_up(asked: Asked) -> Examples:
    try:
        return examples_of(asked, invented(asked.signature))
    except NotPublishable as error:
        raise NotPublishable(
            f"{error}; these values were made up from the columns: allow examples, or let the pipeline take any value"
        ) from error


def _promise(**known: Any) -> Promise:
    try:
        promise = Promise(**known)
        promise.model_dump_json()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise NotPublishable(f"{first['loc'][0]}: {first['msg']}") from error
    except PydanticSerializationError as error:
        raise NotPublishable(
            "a name, a label or a cell holds half a character, which no JSON can: mend its encoding"
        ) from error
    return promise


def _training(rows: Rows, y: ArrayLike | None, evaluation: Evaluation | None, source: str) -> Training:
    target = getattr(y, "name", None)
    return Training(
        rows=len(rows.frame),
        held_back=evaluation.rows if evaluation else 0,
        source=source,
        target=target if isinstance(target, str) else "",
    )


def _libraries() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}
