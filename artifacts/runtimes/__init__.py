"""What executes a model: the estimator itself, or a program that was proved to answer like it."""

from collections.abc import Sequence
from typing import Protocol

from artifacts.predictions import Predictions
from artifacts.signature import Table


class Runtime(Protocol):
    """Answers for a checked table; anything that an estimator raises for its rows may come out of it."""

    @property
    def has_probabilities(self) -> bool:
        """Whether it says how sure it is."""

    @property
    def program_rows(self) -> int:
        """Calls with at most this many rows are executed by a program, so that their time is bounded."""

    @property
    def parts(self) -> "Sequence[Runtime]":
        """Those that it is made of; of one that is made of none, itself."""

    def predict(self, table: Table, *, probabilities: bool) -> Predictions:
        """One class or number a row, and if asked for and had, a probability a class."""
