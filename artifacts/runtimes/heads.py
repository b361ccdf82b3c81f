"""The last part of a program, which predicts an array: a linear model, trees, or a vote of several."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from artifacts.predictions import Predictions
from artifacts.runtimes.links import Link, Scores, decide
from artifacts.runtimes.sklearn_trees import compiled
from artifacts.runtimes.steps import Matrix


@dataclass(frozen=True)
class Scored:
    """A head that computes scores; its link says what they mean."""

    link: Link
    ties: int

    @property
    def has_probabilities(self) -> bool:
        """Whether the scores give probabilities."""
        return self.link not in {"number", "exponential", "decision"}

    def __call__(self, rows: Matrix, /, *, probabilities: bool) -> Predictions:
        return decide(self.scores(rows), self.link, probabilities=probabilities, ties=self.ties)

    def scores(self, rows: Matrix) -> Scores:
        """Shape (rows, classes) or (rows, 1)."""
        raise NotImplementedError


@dataclass(frozen=True)
class Linear(Scored):
    """
    `rows @ coefficients.T + intercept`.

    Attributes:
        coefficients: Shape (scores, columns); (columns,) if that is the estimator's shape, for the products round
            differently.
        intercept: Shape (scores,).
    """

    coefficients: Matrix
    intercept: Matrix

    def scores(self, rows: Matrix) -> Scores:
        """
        Multiply all rows at once.

        Raises:
            ValueError: A number became infinite in a former step.
        """
        _refuse_infinite(rows)
        product: Scores = rows @ self.coefficients.T
        return (product if product.ndim > 1 else product[:, None]) + self.intercept


@dataclass(frozen=True)
class Forest(Scored):
    """
    scikit-learn's own trees, rebuilt from their arrays: `RandomForest...`, `ExtraTrees...`, `DecisionTree...`.

    Attributes:
        columns, outputs: The number of columns per row, and of numbers per leaf.
        sizes, depths: The number of nodes and the depth of each tree.
        nodes, values: Those of all trees, one after the other, as `Tree.__getstate__` returns them.
        start, rate: The start of the sum, shape (scores,), and the factor of what each tree adds.
        is_mean: Whether the sum is divided by the number of trees; otherwise each tree adds to one score in turn.
        takes_nulls: Whether the trees accept nulls.
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
            ValueError: A number is too large for single precision, or a null that the trees do not accept.
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
    scikit-learn's own predictors of histogram boosting, rebuilt from their arrays.

    Attributes:
        start: Shape (scores,), the start of each sum.
        sizes, splits: The number of nodes and of splits by category of each predictor.
        nodes, categories: Those of all predictors, one after the other.
        known, mapped: The known categories as bits, and which column has which of them.
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
    Trees of any library, executed by treelite's interpreter: fast for few rows.

    Attributes:
        model: What `treelite.Model.serialize_bytes` returns, as an array of bytes.
        is_single: Whether the rows are rounded to single precision first, as scikit-learn's trees do.
        takes_nulls: See `Forest`.
        zero: Numbers of at most this size count as zero, as in LightGBM.
    """

    model: Matrix
    is_single: bool
    takes_nulls: bool
    zero: float

    def scores(self, rows: Matrix) -> Scores:
        """Run all trees for all rows."""
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
    Several models, whose predictions for the same rows are averaged.

    Attributes:
        steps, heads: The steps and the head of each model.
        weights: Shape (models,); empty if all are equal.
        is_soft: Whether probabilities are averaged; otherwise numbers.
    """

    steps: tuple[Any, ...]
    heads: tuple[Any, ...]
    weights: Matrix
    is_soft: bool

    @property
    def has_probabilities(self) -> bool:
        """Whether probabilities are averaged."""
        return self.is_soft

    def __call__(self, rows: Matrix, /, *, probabilities: bool) -> Predictions:
        predictions = [head(step(rows), probabilities=True) for step, head in zip(self.steps, self.heads, strict=True)]
        weights = self.weights if self.weights.size else None
        if not self.is_soft:
            return Predictions(np.average(np.asarray([each.values for each in predictions]).T, axis=1, weights=weights))
        shares = np.average(np.asarray([each.probabilities for each in predictions]), axis=0, weights=weights)
        return decide(shares, "shares", probabilities=probabilities)


def _refuse_infinite(rows: Matrix) -> None:
    # Checking the sum first is fast, as in scikit-learn.
    if not np.isfinite(rows.sum()) and not np.isfinite(rows).all():
        raise ValueError("a number became infinite in a former step")


def _single(rows: Matrix, *, takes_nulls: bool) -> Matrix:
    narrow = np.ascontiguousarray(rows, dtype=np.float32)
    if np.isinf(narrow).any() or not (takes_nulls or np.isfinite(narrow).all()):
        raise ValueError("a number is too large for single precision, or a null")
    return narrow


HEADS: Sequence[type] = (Linear, Forest, Boosting, Compiled, Vote)
