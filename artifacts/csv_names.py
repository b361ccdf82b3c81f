"""The columns that the answer to a CSV adds, which no column of a model may be called."""

from collections.abc import Sequence

PREDICTION, PROBABILITY, ERROR = "prediction", "probability_", "error"


def added_columns(classes: Sequence[object]) -> list[str]:
    """The columns that stand behind those that came."""
    return [PREDICTION, *(f"{PROBABILITY}{as_text(name)}" for name in classes), ERROR]


def as_text(label: object) -> str:
    """A label as a cell; booleans as they are read."""
    return str(label).lower() if isinstance(label, bool) else str(label)
