"""Suggestions for misspelled names."""

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
    """Case does not matter; a name that is similar to none has no suggestion."""
    assert did_you_mean(name, ["Iris", "wine"]) == hint
