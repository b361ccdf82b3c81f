"""What training saw: the columns of a model and how each was spread."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from artifacts.columns import Column
from artifacts.manifest import Distribution
from train.errors import NotPublishable

BINS = 10


def profile_column(name: str, values: "pd.Series[Any]") -> Column:
    """
    What one column holds, from all rows of training.

    Raises:
        NotPublishable: The column is not numeric.
    """
    dtype = values.dtype
    if not isinstance(dtype, np.dtype) or dtype.kind not in "iuf":
        raise NotPublishable(
            f"column {name!r} has dtype {dtype}, and only columns of numpy floats or integers can be published: "
            "encode it before the estimator sees it"
        )
    numbers = values.to_numpy()
    if np.isinf(numbers).any():
        raise NotPublishable(f"column {name!r} holds an infinity: callers cannot send one; clip or drop it")
    known = numbers[~np.isnan(numbers)]
    return Column(
        name=name,
        kind="float" if dtype.kind == "f" else "integer",
        dtype=dtype.name,
        nullable=known.size < numbers.size,
        minimum=known.min().item() if known.size else None,
        maximum=known.max().item() if known.size else None,
        example=known[0].item() if known.size else None,
    )


def profile_spread(values: "pd.Series[Any]") -> Distribution:
    """
    The spread of one column, in at most ten bins of about equal counts.

    The inner edges are the deciles of training, as usual for the population stability index.
    """
    numbers: NDArray[np.float64] = values.to_numpy(dtype=np.float64)
    known = numbers[~np.isnan(numbers)]
    if not known.size:
        return Distribution(edges=(), counts=(0,), nulls=numbers.size)
    edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS))
    counts = np.bincount(np.searchsorted(edges, known, side="left"), minlength=edges.size + 1)
    return Distribution(
        edges=tuple(edges.tolist()), counts=tuple(counts.tolist()), nulls=int(numbers.size - known.size)
    )
