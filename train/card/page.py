"""Render the model card: one HTML page that describes a version and its quality to people."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from numpy.typing import ArrayLike

from artifacts.columns import Column
from artifacts.description import executed, mostly, name, names, number, seen
from artifacts.manifest import Candidate, Manifest
from artifacts.text import printable
from train.card.figures import FailedPlot, Plot
from train.card.limits import limits_of
from train.card.meanings import meaning
from train.card.plots import plots_of
from train.card.snippets import LOGIN, Snippets
from train.evaluate import Evaluation
from train.fitted_model import FittedModel
from train.held_back import HeldBack

# Longer tables are folded, and the table of columns is cut: manifest.json has all columns.
_MOST_COLUMNS = 1_000
_MOST_UNFOLDED = 40
_MOST_CATEGORIES = 8
_MOST_FOLDED_CATEGORIES = 100
_LONGEST_ESTIMATOR = 20_000
_QUANTILES = {"low": 0.0, "quarter": 0.25, "median": 0.5, "three_quarters": 0.75, "high": 1.0}


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """One column, in words; `folded` has all of its categories if only some are shown."""

    name: str
    kind: str
    null: str
    seen: str
    folded: str
    example: str


@dataclass(frozen=True, slots=True)
class ClassLine:
    """
    One class: its number of rows, its recall and its precision.

    Attributes:
        trained, held: Training rows and held-back rows; None if not known.
        recall: The share of its held-back rows that are predicted as this class.
        precision: The share of such predictions that are correct.
    """

    label: str
    trained: int | None
    held: int | None
    recall: float | None
    precision: float | None


def writer(
    model: FittedModel, held_back: HeldBack | None, evaluation: Evaluation | None, y: ArrayLike | None = None
) -> Callable[[Manifest], bytes]:
    """
    Draw the plots of a card, and return what writes the card once the version has its number.

    Args:
        model: The model.
        held_back: Rows that it was not fitted on.
        evaluation: Its scores on them.
        y: Shape (rows,), the target of the training rows.
    """
    plots = plots_of(model, held_back, evaluation) if held_back and evaluation else []
    true = None if y is None else np.asarray(y).ravel()
    classes = [] if model.label_map is None else list(_classes(model, true, evaluation))
    spread = _spread(true) if model.label_map is None and true is not None else None
    return lambda manifest: _write(manifest, evaluation, plots, classes, spread)


def _write(
    manifest: Manifest,
    evaluation: Evaluation | None,
    plots: list[Plot | FailedPlot],
    classes: list[ClassLine],
    spread: dict[str, str] | None,
) -> bytes:
    columns = manifest.signature.columns
    page = _template().render(
        manifest=manifest,
        sampled=manifest.is_sampled,
        task={"classification": "Classifier", "regression": "Regressor"}[manifest.task],
        target=name(manifest.training.target) if manifest.training and manifest.training.target else "",
        labels=names(manifest.classes, most=12),
        classes=classes,
        spread=spread,
        columns=[_line(column, manifest) for column in columns[:_MOST_COLUMNS]],
        left_out=len(columns) - _MOST_COLUMNS,
        unfolded=_MOST_UNFOLDED,
        evaluation=evaluation,
        scores=[(name(key), value, meaning(key, value, evaluation)) for key, value in manifest.scores.items()],
        plots=[plot for plot in plots if isinstance(plot, Plot)],
        failed=[plot for plot in plots if isinstance(plot, FailedPlot)],
        limits=list(limits_of(manifest, evaluation)),
        snippets=Snippets.of(manifest),
        executed=executed(manifest.execution) if manifest.execution else "",
        requires=names(manifest.requires),
        printed=printable,
        sizes=sorted({size for each in _candidates(manifest) for size in each.microseconds}),
        login=LOGIN,
        kind=name(manifest.estimator.partition("(")[0]),
        estimator="\n".join(map(printable, manifest.estimator[:_LONGEST_ESTIMATOR].splitlines())),
    )
    return page.encode(errors="replace")


def _candidates(manifest: Manifest) -> Sequence[Candidate]:
    return manifest.execution.candidates if manifest.execution else ()


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")


def _classes(model: FittedModel, true: Any, evaluation: Evaluation | None) -> Iterator[ClassLine]:
    assert model.label_map is not None
    trained = None if true is None else Counter(true.tolist())
    confusion = None if evaluation is None else evaluation.confusion
    for place, (value, label) in enumerate(zip(model.estimator.classes_.tolist(), model.label_map[:-1], strict=True)):
        held = recall = precision = None
        if confusion is not None:
            held, taken = int(confusion[place].sum()), int(confusion[:, place].sum())
            hits = int(confusion[place, place])
            recall, precision = (hits / held if held else None), (hits / taken if taken else None)
        yield ClassLine(name(label), None if trained is None else trained[value], held, recall, precision)


def _spread(true: Any) -> dict[str, str]:
    """Return the quantiles of a regressor's target in training."""
    quantiles = np.quantile(true.astype(np.float64), list(_QUANTILES.values()))
    return {name: number(float(value)) for name, value in zip(_QUANTILES, quantiles, strict=True)}


def _line(column: Column, manifest: Manifest) -> ColumnLine:
    spread = manifest.reference.get(column.name)
    saw = [seen(column, spread, most=_MOST_CATEGORIES), "" if column.kind == "text" else mostly(spread)]
    is_cut = len(column.categories) > _MOST_CATEGORIES and len(manifest.signature.columns) <= _MOST_UNFOLDED
    return ColumnLine(
        name=name(column.name, longest=200),
        kind=f"{column.kind} ({column.dtype})",
        null="may be null" if column.nullable else "never null",
        seen="; ".join(filter(None, saw)),
        folded=seen(column, most=_MOST_FOLDED_CATEGORIES) if is_cut else "",
        example=name(json.dumps(column.example, ensure_ascii=False)),
    )
