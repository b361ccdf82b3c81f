"""What executes a model: the estimator itself, or a program that was proved to predict the same."""

from collections.abc import Sequence
from typing import Protocol

from artifacts.predictions import Predictions
from artifacts.signature import Table


class Runtime(Protocol):
    """Predicts a checked table; it may raise whatever an estimator raises."""

    @property
    def has_probabilities(self) -> bool:
        """Whether it predicts probabilities."""

    @property
    def program_rows(self) -> int:
        """Calls with at most this many rows are executed by a program, so that their time is bounded."""

    @property
    def parts(self) -> "Sequence[Runtime]":
        """The runtimes that it chooses from; otherwise itself."""

    def predict(self, table: Table, *, probabilities: bool) -> Predictions:
        """Return a class or a number per row and, if requested and available, a probability per class."""
