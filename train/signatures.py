"""The signature of a model: what each column holds in the training rows, and what callers may send in it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from artifacts import Column, Signature
from artifacts.columns import Unknown
from artifacts.csv_names import added_columns
from artifacts.manifest import Label
from artifacts.number_formats import NumberFormat
from train.errors import NotPublishable
from train.profile import MOST_CATEGORIES, profile_column
from train.request import PublishRequest
from train.rows import Rows


def signature_of(request: PublishRequest, rows: Rows, labels: Sequence[Label]) -> Signature:
    """
    Describe the columns of a model.

    Args:
        request: What callers may send beyond what the rows show.
        rows: The training rows.
        labels: Of the classes; a CSV response adds columns that are named after them.

    Raises:
        NotPublishable: A column cannot be sent by callers, or has a name that a CSV response adds.
    """
    columns = columns_of(
        rows,
        unknown=request.unknown,
        real=request.examples,
        sampled=request.sample,
        nullable=request.nullable,
        categories=request.categories or {},
        number_formats=request.number_formats or {},
    )
    signature = Signature(
        container=rows.container,
        columns=columns,
        csv_nulls=tuple(request.csv_nulls),
        unknown_names=request.unknown_names,
    )
    added = {name.strip() for name in added_columns([label.label for label in labels])}
    clashes = sorted(added.intersection(signature.names))
    if clashes:
        raise NotPublishable(f"a CSV response adds a column {clashes[0]!r}, and X has one of this name: rename it")
    return signature


def columns_of(
    rows: Rows,
    *,
    unknown: Unknown = "refuse",
    real: bool = True,
    sampled: bool = False,
    nullable: Sequence[str] = (),
    categories: Mapping[str, Sequence[Any]] | None = None,
    number_formats: Mapping[str, NumberFormat] | None = None,
) -> tuple[Column, ...]:
    """
    Describe every column, with the dtype in which the estimator was fitted on it.

    Raises:
        NotPublishable: A column cannot be sent by callers, or `number_formats` names one without numbers.
    """
    is_text_array = isinstance(rows.data, np.ndarray) and rows.data.dtype.kind == "U"
    formats, more = number_formats or {}, categories or {}
    columns = tuple(
        profile_column(
            values,
            name=str(name),
            dtype="U" if is_text_array else str(values.dtype),
            unknown=unknown,
            real=real,
            # The input of a vectorizer is text, even if it has few distinct values.
            most_categories=0 if rows.container == "series" else MOST_CATEGORIES,
            more=more.get(str(name), ()),
        )
        for name, values in rows.frame.items()
    )
    without_numbers = formats.keys() - {column.name for column in columns if column.kind in {"float", "integer"}}
    if without_numbers:
        raise NotPublishable(f"number_formats names {min(without_numbers)!r}, which is not a column of numbers")
    return tuple(
        column.model_copy(
            update={
                "sampled": sampled,
                "numbers": formats.get(column.name),
                "nullable": column.nullable or column.name in nullable,
            }
        )
        for column in columns
    )
