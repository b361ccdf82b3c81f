"""
Why nothing was published.

    TrainError
    ├── NotPublishable      the model, or its data, is not what a server can answer for
    ├── TooFewRows          a class has fewer rows than the cross-validation has folds
    └── BelowThreshold      the model scored worse than its recipe demands
"""


class TrainError(Exception):
    """Nothing was published."""


class NotPublishable(TrainError):
    """The model cannot be served as it is; the message says what to do."""


class TooFewRows(TrainError):
    """A class has fewer rows than the cross-validation has folds."""

    def __init__(self, *, rows: int, folds: int) -> None:
        super().__init__(f"the rarest class has {rows} rows to learn from, too few for {folds} folds")
        self.rows = rows
        self.folds = folds


class BelowThreshold(TrainError):
    """The model scored worse on held-back rows than its recipe demands."""

    def __init__(self, score: str, *, reached: float, demanded: float) -> None:
        super().__init__(f"{score} on held-back rows is {reached:.4f}, and the recipe demands {demanded:g}")
        self.score = score
        self.reached = reached
        self.demanded = demanded
