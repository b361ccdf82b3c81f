"""Rows that come to every split of every tree: on its threshold, one unit in the last place beside it, and null."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import treelite
from numpy.typing import NDArray

from artifacts.runtimes.heads import Compiled
from train.compile.errors import NotLowered

# A forest of more splits is not proved, and so stays with scikit-learn.
MOST_SPLITS = 100_000


@dataclass(frozen=True, slots=True)
class Splits:
    """
    The nodes of one tree, in the form that all libraries share.

    Attributes:
        columns: Shape (nodes,), which column is compared; -1 in a leaf, and where the split is one of categories.
        thresholds: Shape (nodes,), up to which a row goes left.
        left, right: Shape (nodes,), where it goes; -1 in a leaf.
    """

    columns: NDArray[np.intp]
    thresholds: NDArray[np.float64]
    left: NDArray[np.intp]
    right: NDArray[np.intp]


def adversarial(model: Any, head: Any, base: NDArray[Any], *, nulls: bool) -> NDArray[np.float64]:
    """
    Rows on and beside every threshold.

    Args:
        model: A fitted model of trees.
        head: What replays it.
        base: Shape (rows, columns), rows as it meets them, from which the others are made.
        nulls: Whether it takes them.

    Returns:
        Shape (splits x 6 or 7, columns): for every split one row that comes to it, with the value at the threshold,
        one unit beside it in double and in single precision, and a null.

    Raises:
        NotLowered: There are too many splits to try.
    """
    trees = list(_splits(model, head))
    count = sum(int((tree.columns >= 0).sum()) for tree in trees)
    if count > MOST_SPLITS:
        raise NotLowered(f"it has {count:,} splits, and {MOST_SPLITS:,} can be proved")
    rows = [row for place, tree in enumerate(trees) for row in _reaching(tree, base[place % len(base)], nulls=nulls)]
    return np.array(rows).reshape(-1, base.shape[1])


def _reaching(tree: Splits, base: NDArray[Any], *, nulls: bool) -> Iterator[NDArray[np.float64]]:
    """Walk down to every split, with a row that is bent as little as the way there asks."""
    pending: list[tuple[int, NDArray[np.float64], dict[int, tuple[float, float]]]] = [(0, base.astype(np.float64), {})]
    while pending:
        node, row, bounds = pending.pop()
        if tree.left[node] < 0:
            continue
        column, threshold = int(tree.columns[node]), float(tree.thresholds[node])
        if column < 0:
            pending += [(int(tree.left[node]), row, bounds), (int(tree.right[node]), row, bounds)]
            continue
        for value in [*_beside(threshold), *([np.nan] if nulls else [])]:
            at = row.copy()
            at[column] = value
            yield at
        low, high = bounds.get(column, (-np.inf, np.inf))
        for child, (least, most) in ((tree.left[node], (low, threshold)), (tree.right[node], (threshold, high))):
            bent = row.copy()
            bent[column] = _within(row[column], least, most)
            pending.append((int(child), bent, {**bounds, column: (least, most)}))


def _beside(threshold: float) -> Sequence[float]:
    single = np.float32(threshold)
    neighbours = [np.nextafter(single, np.float32(towards)) for towards in (-np.inf, np.inf)]
    return [
        threshold,
        float(np.nextafter(threshold, -np.inf)),
        float(np.nextafter(threshold, np.inf)),
        float(single),
        *map(float, neighbours),
    ]


def _within(value: float, low: float, high: float) -> float:
    """The value, or one that is above the one bound and not above the other."""
    if low < value <= high:
        return value
    if np.isinf(low):
        return high
    return low + abs(low) * 1e-3 + 1e-3 if np.isinf(high) else low / 2 + high / 2


def _splits(model: Any, head: Any) -> Iterator[Splits]:
    if hasattr(model, "_predictors"):
        yield from (_of_histogram(each.nodes) for stage in model._predictors for each in stage)  # noqa: SLF001
    elif hasattr(model, "tree_"):
        yield _of_tree(model.tree_)
    elif hasattr(model, "estimators_"):
        yield from (_of_tree(each.tree_) for each in np.ravel(np.asarray(model.estimators_, dtype=object)))
    elif isinstance(head, Compiled):
        compiled = treelite.Model.deserialize_bytes(head.model.tobytes())
        yield from (_of_treelite(tree["nodes"]) for tree in json.loads(compiled.dump_as_json())["trees"])


def _of_tree(tree: Any) -> Splits:
    is_split = tree.children_left >= 0
    return Splits(
        np.where(is_split, tree.feature, -1),
        tree.threshold.copy(),
        tree.children_left.copy(),
        tree.children_right.copy(),
    )


def _of_histogram(nodes: Any) -> Splits:
    is_split = nodes["is_leaf"] == 0
    columns = np.where(is_split & (nodes["is_categorical"] == 0), nodes["feature_idx"].astype(np.intp), -1)
    left, right = (np.where(is_split, nodes[side].astype(np.intp), -1) for side in ("left", "right"))
    return Splits(columns, nodes["num_threshold"].copy(), left, right)


def _of_treelite(nodes: Sequence[Any]) -> Splits:
    place = {node["node_id"]: index for index, node in enumerate(nodes)}
    return Splits(
        np.array([node["split_feature_id"] if "threshold" in node else -1 for node in nodes], dtype=np.intp),
        np.array([node.get("threshold", 0.0) for node in nodes]),
        np.array([place.get(node.get("left_child"), -1) for node in nodes], dtype=np.intp),
        np.array([place.get(node.get("right_child"), -1) for node in nodes], dtype=np.intp),
    )
