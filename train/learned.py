"""What a fitted model knows of the values of its columns, and a sample that is cast to it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from artifacts.features import features_of
from train.errors import NotPublishable
from train.targets import plain

_MOST_NAMED = 8
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Learned:
    """
    What a model knows of one column.

    Attributes:
        known: Those that it was fitted on, without null.
        are_levels: Whether they are levels of pandas' dtype `category`, in this order.
    """

    known: tuple[Any, ...]
    are_levels: bool = False

    @property
    def are_texts(self) -> bool:
        """Whether the column holds texts, whatever they look like."""
        return all(isinstance(value, str) for value in self.known)


def learned_of(model: Any) -> dict[str, Learned]:
    """By column what a model knows of its values; of an array, and of what keeps no values, nothing."""
    names = features_of(model).names
    return {} if names is None else dict(_learned(model, names))


def _learned(model: Any, columns: Sequence[str]) -> Iterator[tuple[str, Learned]]:
    if hasattr(model, "best_estimator_"):
        yield from _learned(model.best_estimator_, columns)
    elif isinstance(getattr(model, "steps", None), list):
        yield from _of_steps([step for _, step in model.steps], columns)
    elif hasattr(model, "transformers_"):
        places = model._transformer_to_input_indices  # noqa: SLF001  # names, masks and slices are resolved there
        for name, part, _ in model.transformers_:
            yield from _learned(part, [columns[place] for place in places[name]])
    elif hasattr(model, "categories_"):
        yield from zip(columns, map(_known, model.categories_), strict=False)
    else:
        yield from _of_library(model, columns)


def _of_steps(steps: Sequence[Any], columns: Sequence[str]) -> Iterator[tuple[str, Learned]]:
    """Of the first step that does something, or behind an imputer, which leaves every column in its place."""
    for step in steps:
        if step is None or isinstance(step, str):
            continue
        yield from _learned(step, columns)
        if not hasattr(step, "statistics_"):
            return


def _of_library(model: Any, columns: Sequence[str]) -> Iterator[tuple[str, Learned]]:
    """The levels of pandas categories, where each library keeps them."""
    library = type(model).__module__.partition(".")[0]
    if library == "lightgbm":
        places = sorted(model.booster_.params.get("categorical_column", ()))
        levels = model.booster_.pandas_categorical or ()
        yield from ((columns[place], Learned(tuple(each), True)) for place, each in zip(places, levels, strict=False))
    elif library == "xgboost" and "c" in (model.get_booster().feature_types or ()):
        found = model.get_booster().get_categories(export_to_arrow=True).to_arrow()
        yield from ((name, Learned(tuple(each.to_pylist()), True)) for name, each in found if each is not None)
    elif library == "catboost":
        yield from ((columns[place], Learned(())) for place in model.get_cat_feature_indices())
    elif getattr(model, "_preprocessor", None) is not None:
        encoder = model._preprocessor.named_transformers_["encoder"]  # noqa: SLF001  # there is no public way
        places = np.flatnonzero(model.is_categorical_).tolist()
        is_dtype = getattr(model, "categorical_features", None) == "from_dtype"
        for place, values in zip(places, encoder.categories_, strict=True):
            yield columns[place], Learned(_known(values).known, is_dtype)


def _known(values: Any) -> Learned:
    return Learned(tuple(value for value in np.asarray(values).tolist() if not pd.isna(value)))


def typed(
    frame: pd.DataFrame,
    learned: Mapping[str, Learned],
    dtypes: Mapping[str, str],
    source: str,
    *,
    numbers: bool = True,
) -> pd.DataFrame:
    """
    Cast each column of a sample to the dtype that was asked for, or that the model tells.

    Args:
        frame: As it was read.
        learned: What the model knows, by column.
        dtypes: What was asked for, by column.
        source: The file.
        numbers: Whether the other columns of whole numbers become floats, as a sample of them does not say that the
            model was fitted on integers.

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
            f"column {values.name!r} is not made {dtype}: {brief(error)}; a dtype is one of pandas', such as str, "
            "float64, Int64, boolean or category"
        ) from error


def _as_texts(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Numbers and booleans as the texts that they were in the file; a null stays one."""
    if values.dtype.kind not in "iufb" and values.dtype != object:
        return values
    texts = plain(values.dropna()).astype(str)
    return texts.reindex(values.index).astype("str")


def _levels(values: "pd.Series[Any]", learned: Learned, source: str) -> "pd.Series[Any]":
    """Values as the levels of a category, which are those that the model was fitted on."""
    like = _as_texts(values) if learned.are_texts else values
    strange = like[like.notna() & ~like.isin(learned.known)]
    if len(strange):
        known = ", ".join(map(repr, learned.known[:_MOST_NAMED]))
        raise NotPublishable(
            f"row {int(strange.index[0]) + 1} of {source}: column {values.name!r} holds {strange.iloc[0]!r}, and the "
            f"categories that the model knows are {known}; leave the row out of the sample"
        )
    return like.astype(pd.CategoricalDtype(list(learned.known)))


def brief(error: Exception) -> str:
    """The reason that a library gives, in one line of bounded length."""
    text = " ".join(str(error).split())
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"
