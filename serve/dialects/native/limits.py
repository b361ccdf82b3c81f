"""The limits of a request."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """
    The limits of a request in JSON.

    Attributes:
        max_errors: How many faults an error lists.
        show_values: Whether it shows the invalid values.
    """

    max_depth: int = 32
    max_rows: int = 1000
    max_columns: int = 1024
    max_digits: int = 64
    max_errors: int = 20
    show_values: bool = False
