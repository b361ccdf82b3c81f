"""The limits of a request."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """
    The limits of a request in JSON.

    Attributes:
        ignore_unknown: Whether an object may have names that the model does not have.
        max_errors: How many faults an error lists.
        show_values: Whether it shows the invalid values.
    """

    max_depth: int
    max_rows: int
    max_columns: int
    max_digits: int
    max_errors: int
    ignore_unknown: bool
    show_values: bool
