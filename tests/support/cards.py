"""Render the model card of any small model without a store, and parse it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import numpy as np

from artifacts import Manifest, Signature
from artifacts.manifest import Training
from artifacts.predictions import label_map
from train import card
from train.admission import labels_of, task_of
from train.evaluate import Evaluation
from train.examples import choose, examples_of
from train.fitted_model import FittedModel
from train.held_back import HeldBack
from train.profile import MOST_CATEGORIES, profile_column, profile_spread
from train.round_trip import prove_round_trip
from train.rows import as_rows

_VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """A parsed HTML page; a tag that is opened and not closed is an error."""

    def __init__(self, content: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.size = len(content)
        self.tags: list[tuple[str, Mapping[str, str | None]]] = []
        self.code: list[str] = []
        self._open: list[str] = []
        self._texts: list[str] = []
        self.feed(content.decode())
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Handle a tag; a `pre` begins a separate text."""
        self.tags.append((tag, dict(attrs)))
        if tag == "pre":
            self.code.append("")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Handle the end of the tag that was opened last."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect visible text."""
        if "style" in self._open:
            return
        self._texts.append(data)
        if "pre" in self._open:
            self.code[-1] += data

    @property
    def text(self) -> str:
        """The visible text, with single blanks."""
        return " ".join("".join(self._texts).split())

    @property
    def alts(self) -> list[str]:
        """The alternative texts of the images."""
        return [str(attributes["alt"]) for tag, attributes in self.tags if tag == "img"]

    def has_plot(self, beginning: str) -> bool:
        """Return whether the alternative text of an image has this beginning."""
        return any(alt.startswith(beginning) for alt in self.alts)


@dataclass(frozen=True)
class Carded:
    """
    A fitted estimator, and everything that its card is made from.

    Attributes:
        held_back: X and y of rows that it was not fitted on.
        evaluation: The scores on them; by default those of `evaluate`.
        promised: Fields of the manifest to override.
    """

    estimator: Any
    X: Any
    y: Any
    held_back: tuple[Any, Any] | None = None
    labels: Sequence[str] | None = None
    columns: Sequence[str] | None = None
    evaluation: Evaluation | None = None
    unknown: Any = "refuse"
    promised: Mapping[str, Any] = field(default_factory=dict)

    def writer(self) -> tuple[Callable[[Manifest], bytes], Manifest]:
        """Return the function that renders the card, and the manifest to pass to it."""
        task = task_of(self.estimator)
        rows = as_rows(self.X, self.columns)
        lines = labels_of(self.estimator.classes_, self.labels) if task == "classification" else ()
        most = 0 if rows.container == "series" else MOST_CATEGORIES
        columns = tuple(
            profile_column(values, name=str(name), dtype=str(values.dtype), unknown=self.unknown, most_categories=most)
            for name, values in rows.frame.items()
        )
        signature = Signature(container=rows.container, columns=columns)
        model = FittedModel(self.estimator, label_map([line.label for line in lines]), signature)
        held_back = HeldBack.of(self.held_back, rows) if self.held_back else None
        judged = self.evaluation or (held_back.evaluate(self.estimator, task) if held_back else None)
        known = {
            "model": "tiny",
            "version": 3,
            "created_at": datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC),
            "task": task,
            "estimator": repr(self.estimator),
            "signature": signature,
            "classes": tuple(line.label for line in lines),
            "tolerance": 1e-9,
            "scores": judged.scores if judged else {},
            "libraries": {"python": "3.11.7", "scikit-learn": "1.9.1"},
            "requires": ("scikit-learn==1.9.1",),
            "examples": examples_of(model, choose(*prove_round_trip(model, rows))),
            "reference": {column.name: profile_spread(rows.frame[column.name], column) for column in columns},
            "training": Training(rows=len(rows.frame), held_back=judged.rows if judged else 0, target="kind"),
            "files": {"model.joblib": "0" * 64},
        }
        return card.writer(model, held_back, judged, self.y), Manifest(**{**known, **self.promised})

    def write(self) -> bytes:
        """Return the rendered card."""
        write, manifest = self.writer()
        return write(manifest)

    def page(self) -> Page:
        """Return the parsed card."""
        return Page(self.write())


def numbers(rows: int, columns: int = 3, *, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Shape (rows, columns), normally distributed."""
    return np.random.default_rng(seed).normal(size=(rows, columns))
