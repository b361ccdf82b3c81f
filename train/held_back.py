"""The rows that were held back from fitting, in the form that the estimator takes, and its scores on them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from train.admission import Task
from train.errors import NotPublishable
from train.evaluate import Evaluation, evaluate
from train.rows import Rows, as_rows


@dataclass(frozen=True, slots=True, eq=False)
class HeldBack:
    """
    Rows that the estimator was not fitted on.

    Attributes:
        rows: In the container that the estimator was fitted on.
        y: Shape (rows,), the true class or number of each row.
    """

    rows: Rows
    y: NDArray[Any]

    @classmethod
    def of(cls, given: tuple[Any, ArrayLike], fitted: Rows) -> "HeldBack":
        """
        Bring held-back rows into the form of the rows that the estimator was fitted on.

        Raises:
            NotPublishable: They have other columns, or X and y differ in length.
        """
        X, y = given[0], np.asarray(given[1]).ravel()
        rows = as_rows(X, None if isinstance(X, pd.DataFrame) else list(fitted.frame.columns))
        if len(rows.frame) != len(y):
            raise NotPublishable(f"held_back has {len(rows.frame)} rows of X and {len(y)} of y")
        if list(rows.frame.columns) != list(fitted.frame.columns):
            raise NotPublishable("held_back has other columns than X")
        is_unwrapped = fitted.container == "array" and rows.container == "frame"
        return cls(rows.as_array() if is_unwrapped else rows, y)

    def repeats(self, fitted: Rows) -> bool:
        """Whether these are the rows that the estimator was fitted on, in the same order."""
        return self.rows.frame.reset_index(drop=True).equals(fitted.frame.reset_index(drop=True))

    def evaluate(self, estimator: Any, task: Task) -> Evaluation:
        """
        Score an estimator on these rows.

        Raises:
            NotPublishable: It cannot predict one of them.
        """
        try:
            return evaluate(estimator, task, self.rows.data, self.y)
        except ValueError as error:
            raise NotPublishable(
                f"the model cannot predict a row of held_back: {error}; remove it, or handle it in the pipeline"
            ) from error
