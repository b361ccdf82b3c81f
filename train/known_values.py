"""The values of each column that a fitted model knows, and a sample that is cast to them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from artifacts.features import features_of
from train.errors import NotPublishable
from train.targets import restored

_MOST_NAMED = 8
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class KnownValues:
    """
    The values of one column that a model knows.

    Attributes:
        known: The values that it was fitted on, without null.
        are_levels: Whether they are levels of pandas' dtype `category`, in this order.
    """

    known: tuple[Any, ...]
    are_levels: bool = False

    @property
    def are_texts(self) -> bool:
        """Whether the column holds texts, even if they look like numbers."""
        return all(isinstance(value, str) for value in self.known)


def known_values_of(model: Any) -> dict[str, KnownValues]:
    """Return by column the values that a model knows; models of arrays, and those that keep no values, know none."""
    names = features_of(model).names
    return {} if names is None else dict(_find(model, names))


def _find(model: Any, columns: Sequence[str]) -> Iterator[tuple[str, KnownValues]]:
    if hasattr(model, "best_estimator_"):
        yield from _find(model.best_estimator_, columns)
    elif isinstance(getattr(model, "steps", None), list):
        yield from _of_steps([step for _, step in model.steps], columns)
    elif hasattr(model, "transformers_"):
        places = model._transformer_to_input_indices  # noqa: SLF001  # names, masks and slices are resolved there
        for name, part, _ in model.transformers_:
            yield from _find(part, [columns[place] for place in places[name]])
    elif hasattr(model, "categories_"):
        yield from zip(columns, map(_known, model.categories_), strict=False)
    else:
        yield from _of_library(model, columns)


def _of_steps(steps: Sequence[Any], columns: Sequence[str]) -> Iterator[tuple[str, KnownValues]]:
    """Search the first step that is not passthrough, and the one after an imputer, which keeps the order of columns."""
    for step in steps:
        if step is None or isinstance(step, str):
            continue
        yield from _find(step, columns)
        if not hasattr(step, "statistics_"):
            return


def _of_library(model: Any, columns: Sequence[str]) -> Iterator[tuple[str, KnownValues]]:
    """Return the levels of pandas categories, where each library keeps them."""
    library = type(model).__module__.partition(".")[0]
    if library == "lightgbm":
        places = sorted(model.booster_.params.get("categorical_column", ()))
        levels = model.booster_.pandas_categorical or ()
        yield from (
            (columns[place], KnownValues(tuple(each), True)) for place, each in zip(places, levels, strict=False)
        )
    elif library == "xgboost" and "c" in (model.get_booster().feature_types or ()):
        found = model.get_booster().get_categories(export_to_arrow=True).to_arrow()
        yield from ((name, KnownValues(tuple(each.to_pylist()), True)) for name, each in found if each is not None)
    elif library == "catboost":
        yield from ((columns[place], KnownValues(())) for place in model.get_cat_feature_indices())
    elif getattr(model, "_preprocessor", None) is not None:
        encoder = model._preprocessor.named_transformers_["encoder"]  # noqa: SLF001  # there is no public way
        places = np.flatnonzero(model.is_categorical_).tolist()
        is_dtype = getattr(model, "categorical_features", None) == "from_dtype"
        for place, values in zip(places, encoder.categories_, strict=True):
            yield columns[place], KnownValues(_known(values).known, is_dtype)


def _known(values: Any) -> KnownValues:
    return KnownValues(tuple(value for value in np.asarray(values).tolist() if not pd.isna(value)))


def cast_sample(
    frame: pd.DataFrame,
    learned: Mapping[str, KnownValues],
    dtypes: Mapping[str, str],
    source: str,
    *,
    numbers: bool = True,
) -> pd.DataFrame:
    """
    Cast each column of a sample to the requested dtype, or to the one that the model knows.

    Args:
        frame: As it was read.
        learned: By column, the values that the model knows.
        dtypes: By column, the requested dtype.
        source: The file.
        numbers: Whether other integer columns become floats, since a sample of integers does not show that the model
            was fitted on integers.

    Raises:
        NotPublishable: A column cannot be cast, or holds a level that the model does not know.
    """
    cast: dict[str, pd.Series[Any]] = {}
    for label, values in frame.items():
        name = str(label)
        if name in dtypes:
            cast[name] = _cast(values, dtypes[name])
        elif name in learned and learned[name].are_levels:
            cast[name] = _levels(values, learned[name], source)
        elif name in learned and learned[name].are_texts:
            cast[name] = _as_texts(values)
        else:
            cast[name] = values.astype(float) if numbers and values.dtype.kind in "iu" else values
    return pd.DataFrame(cast)


def _cast(values: "pd.Series[Any]", dtype: str) -> "pd.Series[Any]":
    try:
        return _as_texts(values) if dtype == "str" else values.astype(dtype)  # type: ignore[call-overload]
    except (ValueError, TypeError) as error:
        raise NotPublishable(
            f"column {values.name!r} cannot be cast to {dtype}: {brief(error)}; name a dtype of pandas, such as str, "
            "float64, Int64, boolean or category"
        ) from error


def _as_texts(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return numbers and booleans as the texts that they were in the file; a null stays null."""
    if values.dtype.kind not in "iufb" and values.dtype != object:
        return values
    texts = restored(values.dropna()).astype(str)
    return texts.reindex(values.index).astype("str")


def _levels(values: "pd.Series[Any]", learned: KnownValues, source: str) -> "pd.Series[Any]":
    """Return values as a categorical with the levels that the model was fitted on."""
    cast = _as_texts(values) if learned.are_texts else values
    strange = cast[cast.notna() & ~cast.isin(learned.known)]
    if len(strange):
        known = ", ".join(map(repr, learned.known[:_MOST_NAMED]))
        raise NotPublishable(
            f"row {int(strange.index[0]) + 1} of {source}: column {values.name!r} holds {strange.iloc[0]!r}, and the "
            f"categories that the model knows are {known}; remove the row from the sample"
        )
    return cast.astype(pd.CategoricalDtype(list(learned.known)))


def brief(error: Exception) -> str:
    """Return the message of an error in one line of bounded length."""
    text = " ".join(str(error).split())
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"
