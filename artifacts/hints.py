"""The name that a misspelled one was probably meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches

# Comparing takes time that grows with the product of the lengths.
_LONGEST = 64


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is spelled most like this one, in capitals or not; None if none is close."""
    lower = {each.lower(): each for each in known}
    found = get_close_matches(name[:_LONGEST].lower(), lower, n=1)
    return lower[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean iris?` for the end of a message; empty if no known name is close."""
    meant = nearest(name, known)
    return "" if meant is None else f"; did you mean {meant}?"
