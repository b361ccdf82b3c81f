"""The model card: one HTML file beside a version, for people who want to know what it is and what it is worth."""

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
from artifacts.description import executed, mostly, name, names, number, printable, seen
from artifacts.manifest import Candidate, Manifest
from train.card.figures import Plot, Undrawn
from train.card.limits import limits_of
from train.card.meanings import meaning
from train.card.plots import plots_of
from train.card.snippets import LOGIN, Snippets
from train.evaluate import Evaluation
from train.fitted_model import FittedModel
from train.held_back import HeldBack

# Longer tables are folded, and those of columns are cut: manifest.json has them all.
_MOST_COLUMNS = 1_000
_MOST_UNFOLDED = 40
_MOST_CATEGORIES = 8
_MOST_FOLDED_CATEGORIES = 100
_LONGEST_ESTIMATOR = 20_000


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """One column, in words; `folded` holds all of its categories where only some are shown."""

    name: str
    kind: str
    null: str
    seen: str
    folded: str
    example: str


@dataclass(frozen=True, slots=True)
class ClassLine:
    """
    One class: in how many rows it stood, and how well it is found.

    Attributes:
        trained, held: Rows of training, rows held back; None where that is not known.
        found: The share of its held-back rows that is found.
        right: The share of what is taken for it that is right.
    """

    label: str
    trained: int | None
    held: int | None
    found: float | None
    right: float | None


@dataclass(frozen=True, slots=True)
class Spread:
    """What a regressor's target was in training, in words."""

    low: str
    quarter: str
    median: str
    three_quarters: str
    high: str


def writer(
    model: FittedModel, held_back: HeldBack | None, evaluation: Evaluation | None, y: ArrayLike | None = None
) -> Callable[[Manifest], bytes]:
    """
    Prepare the card of a model: draw what takes long now, and write once the version has its number.

    Args:
        model: The model.
        held_back: Rows that it was not fitted on.
        evaluation: Its scores on them.
        y: Shape (rows,), the target of the training rows.
    """
    plots = plots_of(model, held_back, evaluation) if held_back and evaluation else []
    told = None if y is None else np.asarray(y).ravel()
    classes = [] if model.label_map is None else list(_classes(model, told, evaluation))
    spread = _spread(told) if model.label_map is None and told is not None else None
    return lambda manifest: _write(manifest, evaluation, plots, classes, spread)


def _write(
    manifest: Manifest,
    evaluation: Evaluation | None,
    plots: list[Plot | Undrawn],
    classes: list[ClassLine],
    spread: Spread | None,
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
        undrawn=[plot for plot in plots if isinstance(plot, Undrawn)],
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


def _classes(model: FittedModel, told: Any, evaluation: Evaluation | None) -> Iterator[ClassLine]:
    assert model.label_map is not None
    trained = None if told is None else Counter(told.tolist())
    confusion = None if evaluation is None else evaluation.confusion
    for place, (value, label) in enumerate(zip(model.estimator.classes_.tolist(), model.label_map[:-1], strict=True)):
        held = found = right = None
        if confusion is not None:
            held, taken = int(confusion[place].sum()), int(confusion[:, place].sum())
            hits = int(confusion[place, place])
            found, right = (hits / held if held else None), (hits / taken if taken else None)
        yield ClassLine(name(label), None if trained is None else trained[value], held, found, right)


def _spread(told: Any) -> Spread:
    return Spread(*(number(float(edge)) for edge in np.quantile(told.astype(np.float64), [0, 0.25, 0.5, 0.75, 1])))


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
