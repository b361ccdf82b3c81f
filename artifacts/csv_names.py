"""Column names of a CSV: those that the answer adds, and those that stand for an empty cell of the header."""

from collections.abc import Sequence

# The characters that may separate cells, the likeliest first.
DELIMITERS = ",;\t"
# What stands in the place of an empty cell of the header, as in pandas.
NAMELESS = "Unnamed: {place}"
PREDICTION, PROBABILITY, ERROR = "prediction", "probability_", "error"


def added_columns(classes: Sequence[object]) -> list[str]:
    """The columns that stand behind those that came."""
    return [PREDICTION, *(f"{PROBABILITY}{as_text(name)}" for name in classes), ERROR]


def distinct_names(header: Sequence[str]) -> list[str]:
    """Return the names of a header; where several are empty, as trailing commas leave them, each gets its place."""
    names = [name.strip() for name in header]
    if names.count("") < 2:
        return list(header)
    return [name if name.strip() else NAMELESS.format(place=place) for place, name in enumerate(header)]


def as_text(label: object) -> str:
    """A label as a cell; booleans as they are read."""
    return str(label).lower() if isinstance(label, bool) else str(label)
