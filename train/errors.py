"""
Why nothing was published.

    TrainError
    ├── TableUnreadable     a file is not a CSV with as many cells in every line as in its header
    ├── ColumnMissing       a table has no column of that name
    ├── NothingToLearn      a table has too few rows, classes or columns to learn from
    ├── ModelNotLoaded      a file is not a fitted model of this scikit-learn, or loading it was not confirmed
    ├── NotPublishable      the model or its data cannot be served
    ├── TooFewRows          a class, or the whole table, has fewer rows than the cross-validation has folds
    └── BelowThreshold      a score of the model is below the threshold of its recipe
"""

from collections.abc import Sequence

from artifacts.hints import nearest

_MOST_NAMED = 50


class TrainError(Exception):
    """Nothing was published."""


class TableUnreadable(TrainError):
    """A file is not a CSV with as many cells in every line as in its header."""


class ColumnMissing(TrainError):
    """A table has no column of that name, or lacks some of several."""

    def __init__(self, *names: str, columns: Sequence[str], source: str) -> None:
        near = [meant for name in names if (meant := nearest(name, columns)) is not None]
        more = ", ..." if len(columns) > _MOST_NAMED else ""
        super().__init__(
            f"{source} has no column {', '.join(map(repr, names))}; it has {', '.join(columns[:_MOST_NAMED])}{more}"
            + (f". Did you mean {', '.join(map(repr, near))}?" if near else "")
        )
        self.names = names


class NothingToLearn(TrainError):
    """A table has too few rows, classes or columns to learn from."""


class ModelNotLoaded(TrainError):
    """A file is not a fitted model of this scikit-learn, or loading it was not confirmed."""


class NotPublishable(TrainError):
    """The model cannot be served as it is; the message says what to do."""


class TooFewRows(TrainError):
    """A class, or the whole table, has fewer rows than the cross-validation has folds."""

    def __init__(self, *, rows: int, folds: int) -> None:
        super().__init__(f"the rarest class (or the table) has {rows} rows to learn from, too few for {folds} folds")
        self.rows = rows
        self.folds = folds


class BelowThreshold(TrainError):
    """A score on held-back rows is below the threshold of the recipe."""

    def __init__(self, score: str, *, reached: float, threshold: float) -> None:
        super().__init__(f"{score} on held-back rows is {reached:.4f}, below the recipe's threshold of {threshold:g}")
        self.score = score
        self.reached = reached
        self.threshold = threshold
