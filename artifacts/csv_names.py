"""Column names of a CSV: those that the answer adds, and those for empty cells of the header."""

from collections.abc import Sequence

# The characters that may separate cells, the likeliest first.
DELIMITERS = ",;\t"
# The name of a column whose header cell is empty, as in pandas.
NAMELESS = "Unnamed: {place}"
PREDICTION, PROBABILITY, ERROR = "prediction", "probability_", "error"


def added_columns(classes: Sequence[object]) -> list[str]:
    """Return the columns that an answer appends."""
    return [PREDICTION, *(f"{PROBABILITY}{as_text(name)}" for name in classes), ERROR]


def distinct_names(header: Sequence[str]) -> list[str]:
    """Return the names of a header; if several are empty, as after trailing commas, each gets a name of its own."""
    names = [name.strip() for name in header]
    if names.count("") < 2:
        return list(header)
    return [name if name.strip() else NAMELESS.format(place=place) for place, name in enumerate(header)]


def as_text(label: object) -> str:
    """Return a label as a cell; booleans as JSON writes them."""
    return str(label).lower() if isinstance(label, bool) else str(label)
