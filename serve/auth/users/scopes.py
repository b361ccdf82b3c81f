"""What a caller may reach."""

from collections.abc import Iterable
from enum import StrEnum


class Scope(StrEnum):
    """What a token may reach."""

    PREDICT = "predict"
    BATCH = "batch"
    MODELS_READ = "models:read"
    METRICS_READ = "metrics:read"


ALL_SCOPES = frozenset(Scope)


def known(text: str) -> frozenset[Scope]:
    """The scopes of a text; one that this version does not know any more counts for nothing."""
    return frozenset(Scope(scope) for scope in text.split() if scope in ALL_SCOPES)


def parsed(text: str) -> frozenset[Scope]:
    """
    The scopes that somebody typed.

    Raises:
        ValueError: There is no such scope.
    """
    unknown = sorted(set(text.split()) - ALL_SCOPES)
    if unknown:
        raise ValueError(f"no such scope: {' '.join(unknown)}; there are {' '.join(sorted(ALL_SCOPES))}")
    return known(text)


def written(scopes: Iterable[Scope]) -> str:
    """The scopes as OAuth 2 writes them, in order."""
    return " ".join(sorted(scopes))
