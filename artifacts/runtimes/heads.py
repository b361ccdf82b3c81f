"""What ends a program: a linear model, or trees in one of two forms."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from artifacts.predictions import Predictions
from artifacts.runtimes.compiled import compiled
from artifacts.runtimes.links import Link, Scores, told_by
from artifacts.runtimes.steps import Matrix


class Head(Protocol):
    """Answers for an array of rows and columns."""

    @property
    def has_probabilities(self) -> bool: ...

    def __call__(self, rows: Matrix, /, *, probabilities: bool) -> Predictions: ...


@dataclass(frozen=True)
class Scored:
    """A head that gives scores; what they mean is its link."""

    link: Link
    ties: int

    @property
    def has_probabilities(self) -> bool:
        """Whether the scores are more than a decision."""
        return self.link not in {"number", "exponential", "decision"}

    def __call__(self, rows: Matrix, /, *, probabilities: bool) -> Predictions:
        return told_by(self.scores(rows), self.link, probabilities=probabilities, ties=self.ties)

    def scores(self, rows: Matrix) -> Scores:
        """Shape (rows, classes) or (rows, 1)."""
        raise NotImplementedError


@dataclass(frozen=True)
class Linear(Scored):
    """
    `rows @ coefficients.T + intercept`.

    Attributes:
        coefficients: Shape (scores, columns); (columns,) where the estimator has it so, for another product rounds
            otherwise.
        intercept: Shape (scores,).
    """

    coefficients: Matrix
    intercept: Matrix

    def scores(self, rows: Matrix) -> Scores:
        """
        One product for all rows.

        Raises:
            ValueError: A number became infinite on its way.
        """
        _refuse_infinite(rows)
        product: Scores = rows @ self.coefficients.T
        return (product if product.ndim > 1 else product[:, None]) + self.intercept


@dataclass(frozen=True)
class Forest(Scored):
    """
    scikit-learn's own trees, made of their arrays again: `RandomForest...`, `ExtraTrees...`, `DecisionTree...`.

    Attributes:
        columns, outputs: How many columns a row has, and how many numbers a leaf.
        sizes, depths: Of each tree the count of its nodes and its depth.
        nodes, values: Of all trees, one after the other, as `Tree.__getstate__` gives them.
        start, rate: What the sum begins with, shape (scores,), and what each tree adds to it is multiplied by.
        is_mean: Whether the sum is divided by the number of trees; else each tree adds to one score in turn.
        takes_nulls: Whether a null has a way through the trees.
    """

    columns: int
    outputs: int
    sizes: Matrix
    depths: Matrix
    nodes: Matrix
    values: Matrix
    start: Matrix
    rate: float
    is_mean: bool
    takes_nulls: bool

    def scores(self, rows: Matrix) -> Scores:
        """
        Sum over the trees, in the order of scikit-learn.

        Raises:
            ValueError: A number is too large for the single precision of trees, or a null.
        """
        narrow = _single(rows, takes_nulls=self.takes_nulls)
        total = np.zeros((len(rows), len(self.start)))
        total += self.start
        if self.is_mean:
            for tree in self._trees:
                total += tree.predict(narrow)
            total /= len(self._trees)
            return total
        for place, tree in enumerate(self._trees):
            total[:, place % len(self.start)] += self.rate * tree.predict(narrow)[:, 0]
        return total

    @cached_property
    def _trees(self) -> list[Any]:
        make = compiled("sklearn.tree._tree").Tree
        ends = np.cumsum(self.sizes).tolist()
        made = []
        for end, size, depth in zip(ends, self.sizes.tolist(), self.depths.tolist(), strict=True):
            tree = make(self.columns, np.array([self.outputs], dtype=np.intp), 1)
            part = slice(end - size, end)
            state = {"max_depth": depth, "node_count": size, "nodes": self.nodes[part], "values": self.values[part]}
            tree.__setstate__(state)
            made.append(tree)
        return made


@dataclass(frozen=True)
class Boosting(Scored):
    """
    scikit-learn's own predictors of histogram boosting, made of their arrays again.

    Attributes:
        start: Shape (scores,), what each sum begins with.
        sizes, splits: Of each predictor the count of its nodes and of its splits by category.
        nodes, categories: Of all predictors, one after the other.
        known, mapped: The categories that are known as bits, and which column has which of them.
    """

    start: Matrix
    sizes: Matrix
    splits: Matrix
    nodes: Matrix
    categories: Matrix
    known: Matrix
    mapped: Matrix

    def scores(self, rows: Matrix) -> Scores:
        """Sum over the predictors; each adds to one score in turn."""
        wide = np.ascontiguousarray(rows, dtype=np.float64)
        total = np.zeros((len(rows), len(self.start)), order="F")
        total += self.start
        for place, predictor in enumerate(self._predictors):
            total[:, place % len(self.start)] += predictor.predict(wide, self.known, self.mapped, 1)
        return total

    @cached_property
    def _predictors(self) -> list[Any]:
        make = compiled("sklearn.ensemble._hist_gradient_boosting.predictor").TreePredictor
        ends, stops = np.cumsum(self.sizes), np.cumsum(self.splits)
        none = np.zeros((0, 8), dtype=np.uint32)
        return [
            make(self.nodes[end - size : end].copy(), none, np.ascontiguousarray(self.categories[stop - count : stop]))
            for end, size, stop, count in zip(ends, self.sizes, stops, self.splits, strict=True)
        ]


@dataclass(frozen=True)
class Compiled(Scored):
    """
    Trees of any library, asked by treelite's interpreter: quick for few rows.

    Attributes:
        model: What `treelite.Model.serialize_bytes` gives, as bytes in an array.
        is_single: Whether the rows are rounded to single precision before, as scikit-learn's trees do.
        takes_nulls: As of `Forest`.
        zero: Up to so far from zero a number is zero, as LightGBM reads its rows.
    """

    model: Matrix
    is_single: bool
    takes_nulls: bool
    zero: float

    def scores(self, rows: Matrix) -> Scores:
        """Ask all trees for all rows."""
        from treelite import gtil

        if self.is_single:
            rows = _single(rows, takes_nulls=self.takes_nulls)
        if self.zero:
            rows = np.where(np.abs(rows) <= self.zero, 0.0, rows)
        loaded, dtype = self._loaded
        raw = gtil.predict(loaded, np.ascontiguousarray(rows, dtype=dtype), nthread=1, pred_margin=True)
        scores: Scores = raw.reshape(len(rows), -1).astype(np.float64, copy=False)
        return scores

    @cached_property
    def _loaded(self) -> tuple[Any, str]:
        import treelite

        loaded = treelite.Model.deserialize_bytes(self.model.tobytes())
        return loaded, loaded.input_type


@dataclass(frozen=True)
class Vote:
    """
    Several models asked for the same rows, and their answers averaged.

    Attributes:
        steps, heads: Of each model what comes before it, and what ends it.
        weights: Shape (models,); empty where all count the same.
    """

    steps: tuple[Any, ...]
    heads: tuple[Any, ...]
    weights: Matrix
    is_soft: bool

    @property
    def has_probabilities(self) -> bool:
        """Whether probabilities are averaged, and no numbers."""
        return self.is_soft

    def __call__(self, rows: Matrix, /, *, probabilities: bool) -> Predictions:
        told = [head(step(rows), probabilities=True) for step, head in zip(self.steps, self.heads, strict=True)]
        weights = self.weights if self.weights.size else None
        if not self.is_soft:
            return Predictions(np.average(np.asarray([each.values for each in told]).T, axis=1, weights=weights))
        shares = np.average(np.asarray([each.probabilities for each in told]), axis=0, weights=weights)
        return told_by(shares, "shares", probabilities=probabilities)


def _refuse_infinite(rows: Matrix) -> None:
    # The sum of all is a quick first look, as in scikit-learn.
    if not np.isfinite(rows.sum()) and not np.isfinite(rows).all():
        raise ValueError("a number became infinite on its way")


def _single(rows: Matrix, *, takes_nulls: bool) -> Matrix:
    narrow = np.ascontiguousarray(rows, dtype=np.float32)
    if np.isinf(narrow).any() or not (takes_nulls or np.isfinite(narrow).all()):
        raise ValueError("a number is too large for single precision, or none")
    return narrow


HEADS: Sequence[type] = (Linear, Forest, Boosting, Compiled, Vote)
