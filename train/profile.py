"""What training saw: the description of a column, and its reference distribution."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from artifacts.columns import Category, Column, Kind, Scalar, Unknown
from artifacts.manifest import Distribution
from train.errors import NotPublishable

BINS = 10
# A column of texts is a category up to so many distinct values, and up to this share of its rows.
MOST_CATEGORIES = 100
CATEGORY_SHARE = 0.5
_INVENTED_TEXT = "some text"
# The kinds of columns of objects, by what pandas infers of their values.
_OBJECT_KINDS: dict[str, Kind] = {
    "boolean": "boolean",
    "integer": "integer",
    "floating": "float",
    "mixed-integer-float": "float",
}


def profile_column(
    values: "pd.Series[Any]",
    *,
    name: str,
    dtype: str,
    unknown: Unknown = "refuse",
    real: bool = True,
    most_categories: int = MOST_CATEGORIES,
    more: Sequence[Any] = (),
) -> Column:
    """
    Describe one column by all training rows.

    Args:
        values: The column.
        name: Its name.
        dtype: What its values are cast to for the estimator.
        unknown: How an unknown category is handled.
        real: Whether the example may be a training value.
        most_categories: Up to so many distinct texts are categories; more are text.
        more: Further texts that it may hold; a column of texts that has some is a category.

    Raises:
        NotPublishable: Callers cannot send its values.
    """
    known = values[values.notna()]
    kind = _kind(name, values.dtype, known, most_categories)
    if kind == "text" and more and len({*more, *known.tolist()}) <= most_categories:
        kind = "category"
    fields: dict[str, Any] = {"name": name, "kind": kind, "dtype": dtype, "nullable": len(known) < len(values)}
    if values.dtype == object:
        fields["null"] = _null(name, values)
    if kind == "category":
        fields |= _categories(name, known, unknown, more)
    if kind in {"float", "integer", "text"} and len(known):
        numbers = _numbers(name, kind, known)
        fields |= {"minimum": _item(numbers.min()), "maximum": _item(numbers.max())}
    column = Column(**fields)
    example = _item(known.iloc[0]) if real and len(known) else invent(column)
    return column.model_copy(update={"example": example})


def profile_spread(values: "pd.Series[Any]", column: Column) -> Distribution:
    """
    Return the distribution of one column: numbers, and lengths of texts, in at most ten bins of about equal counts.

    The inner edges lie at the deciles of training, as usual for the population stability index: half-way to the
    next value above, so that no edge is a value of the column.
    """
    known = values[values.notna()]
    nulls = len(values) - len(known)
    if column.kind == "category":
        return Distribution(edges=(), counts=tuple(category.count for category in column.categories), nulls=nulls)
    if column.kind == "boolean":
        true = int(known.astype(bool).sum())
        return Distribution(edges=(), counts=(len(known) - true, true), nulls=nulls)
    if not len(known):
        return Distribution(edges=(), counts=(0,), nulls=nulls)
    numbers = _numbers(column.name, column.kind, known).astype(np.float64)
    edges = _edges(np.sort(numbers))
    counts = np.bincount(np.searchsorted(edges, numbers, side="left"), minlength=edges.size + 1)
    return Distribution(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()), nulls=nulls)


def invent(column: Column, draw: np.random.Generator | None = None) -> Scalar:
    """Return a value that the column accepts, independent of any single row: the middle, or one that is drawn."""
    place = 0.5 if draw is None else draw.random()
    if column.kind == "category":
        # The estimator may not know a level that no row has.
        known = [category.value for category in column.categories if category.count] or column.known
        return known[int(place * len(known))] if known else None
    if column.kind == "boolean":
        return place > 0.5
    if column.kind == "text":
        return _INVENTED_TEXT
    if column.minimum is None or column.maximum is None:
        return None
    if isinstance(column.minimum, int) and isinstance(column.maximum, int):
        # By way of floats, a large integer could leave its dtype.
        return min(column.minimum + int(place * (column.maximum - column.minimum)), column.maximum)
    return float(column.minimum * (1 - place) + column.maximum * place)


def _edges(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return shape (up to 9,), the deciles of ascending numbers; the greatest number is an edge itself."""
    deciles = numbers[-(-np.arange(1, BINS) * len(numbers) // BINS) - 1]
    above = np.searchsorted(numbers, deciles, side="right")
    following = numbers[np.minimum(above, len(numbers) - 1)]
    return np.unique(np.where(deciles < following, deciles / 2 + following / 2, deciles))


def _kind(name: str, dtype: Any, known: "pd.Series[Any]", most_categories: int) -> Kind:
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if isinstance(dtype, pd.StringDtype):
        return _text_kind(known, most_categories)
    if dtype == np.dtype(object):
        return _object_kind(name, known, most_categories)
    letter = dtype.kind if isinstance(dtype, np.dtype) or str(dtype)[0] in "IUFb" else ""
    kinds: dict[str, Kind] = {"f": "float", "i": "integer", "u": "integer", "b": "boolean"}
    if letter in kinds and "[" not in str(dtype) and dtype.itemsize <= 8 and getattr(dtype, "isnative", True):
        return kinds[letter]
    raise NotPublishable(f"column {name!r} has dtype {dtype}, which callers cannot send: {_advice(dtype)}")


def _advice(dtype: Any) -> str:
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "derive numbers from it before fitting, such as .dt.dayofweek or the days since a date"
    if isinstance(dtype, pd.SparseDtype):
        return "make it dense, .sparse.to_dense()"
    if isinstance(dtype, np.dtype) and not dtype.isnative:
        return f"convert it to native byte order, .astype({dtype.newbyteorder('=').name!r})"
    return "convert it to numbers, booleans, texts or categories before fitting"


def _object_kind(name: str, known: "pd.Series[Any]", most_categories: int) -> Kind:
    inferred = pd.api.types.infer_dtype(known)
    if inferred in {"string", "empty"}:
        return _text_kind(known, most_categories)
    if inferred in _OBJECT_KINDS:
        return _OBJECT_KINDS[inferred]
    names = " and ".join(sorted(kind.__name__ for kind in set(map(type, known))))
    raise NotPublishable(f"column {name!r} holds {names}: convert it to one type, numbers or texts or booleans")


def _text_kind(known: "pd.Series[Any]", most_categories: int) -> Kind:
    distinct = known.nunique()
    return "category" if 0 < distinct <= min(most_categories, CATEGORY_SHARE * len(known)) else "text"


def _null(name: str, values: "pd.Series[Any]") -> str:
    kinds = {"None" if value is None else str(value) for value in values[values.isna()]}
    if len(kinds) > 1:
        raise NotPublishable(f"column {name!r} holds both {' and '.join(sorted(kinds))}: use only one of them")
    if not kinds <= {"None", "nan"}:
        raise NotPublishable(f"column {name!r} holds {kinds.pop()} among objects: replace it by None or NaN")
    return "none" if kinds == {"None"} else "nan"


def _categories(name: str, known: "pd.Series[Any]", unknown: str, more: Sequence[Any]) -> dict[str, Any]:
    counts = known.value_counts(sort=False)
    if isinstance(known.dtype, pd.CategoricalDtype):
        levels = known.dtype.categories
        if levels.dtype.kind not in "iufbO" and not isinstance(levels.dtype, pd.StringDtype):
            raise NotPublishable(f"column {name!r} has categories of dtype {levels.dtype}: {_advice(levels.dtype)}")
        counts = counts.reindex(levels)
        dtype = {"levels": str(levels.dtype), "ordered": bool(known.dtype.ordered)}
        return {"categories": _counted(name, counts), "unknown": unknown, **dtype}
    absent = [value for value in dict.fromkeys(more) if value not in counts.index]
    if absent:
        counts = counts.reindex([*counts.index, *absent], fill_value=0)
    return {"categories": _counted(name, counts.sort_index()), "unknown": unknown}


def _counted(name: str, counts: "pd.Series[Any]") -> tuple[Category, ...]:
    values = [_item(value) for value in counts.index.tolist()]
    kinds = set(map(type, values))
    if not any(kinds <= alike for alike in ({str}, {bool}, {int, float})):
        names = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise NotPublishable(f"column {name!r} has categories of {names}: convert them to texts, numbers or booleans")
    if np.inf in values or -np.inf in values:
        raise NotPublishable(f"column {name!r} has an infinite category, which callers cannot send: remove it")
    return tuple(Category(value=value, count=count) for value, count in zip(values, counts.tolist(), strict=True))


def _numbers(name: str, kind: Kind, known: "pd.Series[Any]") -> NDArray[Any]:
    """Return the numbers of a column without nulls, or the lengths of texts."""
    if kind == "text":
        return known.str.len().to_numpy(dtype=np.int64)
    if kind == "integer":
        return known.to_numpy()
    try:
        numbers = known.to_numpy(dtype=np.float64)
    except OverflowError:
        # A Python integer may be too large for a float.
        numbers = np.array([np.inf])
    if np.isinf(numbers).any():
        raise NotPublishable(f"column {name!r} holds an infinity, which callers cannot send: clip or drop it")
    return numbers


def _item(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
