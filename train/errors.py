"""
Why nothing was published.

    TrainError
    ├── TableUnreadable     a file is no CSV whose every line has the cells of its header
    ├── ColumnMissing       a table has no column of that name
    ├── NothingToLearn      a table leaves no rows, no classes or no columns to learn from
    ├── ModelNotLoaded      a file is no fitted model, or one that this scikit-learn did not fit, or nobody agreed
    ├── NotPublishable      the model, or its data, is not what a server can answer for
    ├── TooFewRows          a class, or the whole table, has fewer rows than the cross-validation has folds
    └── BelowThreshold      the model scored worse than its recipe demands
"""

from collections.abc import Sequence

from artifacts.hints import nearest

_MOST_NAMED = 50


class TrainError(Exception):
    """Nothing was published."""


class TableUnreadable(TrainError):
    """A file is no CSV whose every line has the cells of its header."""


class ColumnMissing(TrainError):
    """A table has no column of that name, or has not all of several."""

    def __init__(self, *names: str, columns: Sequence[str], source: str) -> None:
        near = [meant for name in names if (meant := nearest(name, columns)) is not None]
        more = ", ..." if len(columns) > _MOST_NAMED else ""
        super().__init__(
            f"{source} has no column {', '.join(map(repr, names))}; it has {', '.join(columns[:_MOST_NAMED])}{more}"
            + (f". Did you mean {', '.join(map(repr, near))}?" if near else "")
        )
        self.names = names


class NothingToLearn(TrainError):
    """A table leaves no rows, no classes or no columns to learn from."""


class ModelNotLoaded(TrainError):
    """A file is no fitted model, or one that this scikit-learn did not fit, or nobody agreed to load it."""


class NotPublishable(TrainError):
    """The model cannot be served as it is; the message says what to do."""


class TooFewRows(TrainError):
    """A class, or the whole table, has fewer rows than the cross-validation has folds."""

    def __init__(self, *, rows: int, folds: int) -> None:
        super().__init__(f"the rarest class (or the table) has {rows} rows to learn from, too few for {folds} folds")
        self.rows = rows
        self.folds = folds


class BelowThreshold(TrainError):
    """The model scored worse on held-back rows than its recipe demands."""

    def __init__(self, score: str, *, reached: float, demanded: float) -> None:
        super().__init__(f"{score} on held-back rows is {reached:.4f}, and the recipe demands {demanded:g}")
        self.score = score
        self.reached = reached
        self.demanded = demanded
