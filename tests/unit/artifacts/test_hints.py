"""What a misspelled name was probably meant to be."""

import pytest

from artifacts.hints import did_you_mean


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("irsi", "; did you mean Iris?"),
        ("IRIS", "; did you mean Iris?"),
        ("wine2", "; did you mean wine?"),
        ("penguins", ""),
        ("x" * 100_000, ""),
    ],
)
def test_the_nearest_known_name_is_suggested(name: str, hint: str) -> None:
    """In capitals or not; nothing is suggested for a name that is like none."""
    assert did_you_mean(name, ["Iris", "wine"]) == hint
