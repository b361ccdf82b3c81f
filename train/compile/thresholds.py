"""Rows that reach every split of every tree: at its threshold, one unit in the last place next to it, and null."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, overload

import numpy as np
import treelite
from numpy.typing import NDArray

from artifacts.runtimes.heads import Compiled
from train.compile.errors import NotLowered

# A forest with more splits is not proved, and therefore not compiled.
MOST_SPLITS = 100_000
# So many rows are created at once, fewer if a row has many columns.
_BLOCK_ROWS = 1_024
_BLOCK_CELLS = 2_000_000
_FEWEST_BLOCK_ROWS = 16

Cells: TypeAlias = Mapping[int, float]
"""The values that a row must have to reach a split, by column."""


@dataclass(frozen=True, slots=True)
class Splits:
    """
    The nodes of one tree, in one form for all libraries.

    Attributes:
        columns: Shape (nodes,), which column is compared; -1 in a leaf.
        thresholds: Shape (nodes,), up to which a row goes left; NaN for a split by categories.
        left, right: Shape (nodes,), where it goes; -1 in a leaf.
    """

    columns: NDArray[np.intp]
    thresholds: NDArray[np.float64]
    left: NDArray[np.intp]
    right: NDArray[np.intp]


class Adversarial(Sequence[NDArray[np.float64]]):
    """
    Rows that reach every split of every tree, in blocks that are created on access.

    For every split, one row reaches it with each of: the threshold, its neighbours in double and in single precision,
    and a null. Splits whose paths have no column in common share a row: for a wide table, the number of rows depends on
    the most used column, and not on the sum over all columns.
    """

    def __init__(self, model: Any, head: Any, base: NDArray[Any], *, nulls: bool) -> None:
        """
        Find the splits, and distribute them over rows.

        Args:
            model: A fitted model of trees.
            head: Its program.
            base: Shape (rows, columns), rows of its input, from which the others are made.
            nulls: Whether it accepts them.

        Raises:
            NotLowered: There are too many splits to try.
        """
        trees = list(_splits(model, head))
        count = sum(int(((tree.columns >= 0) & ~np.isnan(tree.thresholds)).sum()) for tree in trees)
        if count > MOST_SPLITS:
            raise NotLowered(f"it has {count:,} splits, and at most {MOST_SPLITS:,} can be proved")
        self._base = base.astype(np.float64)
        found = (
            cells
            for place, tree in enumerate(trees)
            for cells in _reaching(tree, self._base[place % len(base)], nulls=nulls)
        )
        most = min(_BLOCK_ROWS, max(_FEWEST_BLOCK_ROWS, _BLOCK_CELLS // base.shape[1]))
        self._blocks = list(_shared(found, most))

    def __len__(self) -> int:
        return len(self._blocks)

    @overload
    def __getitem__(self, place: int) -> NDArray[np.float64]: ...

    @overload
    def __getitem__(self, place: slice) -> list[NDArray[np.float64]]: ...

    def __getitem__(self, place: int | slice) -> NDArray[np.float64] | list[NDArray[np.float64]]:
        if isinstance(place, slice):
            return [self[each] for each in range(len(self))[place]]
        block = self._blocks[place]
        rows: NDArray[np.float64] = self._base[np.arange(block.size) % len(self._base)]
        rows[block.rows, block.columns] = block.values
        return rows


@dataclass(frozen=True, slots=True)
class _Block:
    """The number of rows, and the cells that differ from the base: shape (cells,) each."""

    size: int
    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    values: NDArray[np.float64]


def _shared(found: Iterator[Cells], most: int) -> Iterator[_Block]:
    """Put each into the first row of a block in which its columns are free; begin a new block if there is none."""
    full = (1 << most) - 1
    # By column, the rows in which it is used, one bit per row.
    taken: dict[int, int] = {}
    rows: list[list[tuple[int, float]]] = []
    for cells in found:
        occupied = 0
        for column in cells:
            occupied |= taken.get(column, 0)
        if occupied == full:
            yield _block(rows)
            taken, rows, occupied = {}, [], 0
        bit = ~occupied & (occupied + 1)
        for column in cells:
            taken[column] = taken.get(column, 0) | bit
        place = bit.bit_length() - 1
        if place == len(rows):
            rows.append([])
        rows[place].extend(cells.items())
    if rows:
        yield _block(rows)


def _block(rows: Sequence[Sequence[tuple[int, float]]]) -> _Block:
    cells = [(row, column, value) for row, each in enumerate(rows) for column, value in each]
    places, columns, values = zip(*cells, strict=True)
    return _Block(
        len(rows), np.array(places, dtype=np.int32), np.array(columns, dtype=np.int32), np.array(values, dtype=float)
    )


def _reaching(tree: Splits, base: NDArray[np.float64], *, nulls: bool) -> Iterator[Cells]:
    """Yield the cells for every split, changing the base row only as far as its path requires."""
    columns, thresholds = tree.columns.tolist(), tree.thresholds.tolist()
    left, right = tree.left.tolist(), tree.right.tolist()
    pending: list[tuple[int, dict[int, float], dict[int, tuple[float, float]]]] = [(0, {}, {})]
    while pending:
        node, cells, bounds = pending.pop()
        if left[node] < 0:
            continue
        column, threshold = columns[node], thresholds[node]
        if np.isnan(threshold):
            # It is unknown which way the category goes; it is kept, so that one side is reached.
            kept = {**cells, column: float(base[column])}
            pending += [(left[node], kept, bounds), (right[node], kept, bounds)]
            continue
        for value in [*_neighbours(threshold), *([np.nan] if nulls else [])]:
            yield {**cells, column: value}
        low, high = bounds.get(column, (-np.inf, np.inf))
        at = cells.get(column, float(base[column]))
        for child, (least, most) in ((left[node], (low, threshold)), (right[node], (threshold, high))):
            bent = {**cells, column: _within(at, least, most)}
            pending.append((child, bent, {**bounds, column: (least, most)}))


def _neighbours(threshold: float) -> Sequence[float]:
    single = np.float32(threshold)
    singles = [np.nextafter(single, np.float32(towards)) for towards in (-np.inf, np.inf)]
    return [
        threshold,
        float(np.nextafter(threshold, -np.inf)),
        float(np.nextafter(threshold, np.inf)),
        float(single),
        *map(float, singles),
    ]


def _within(value: float, low: float, high: float) -> float:
    """Return the value, or one above the lower bound and not above the upper one."""
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
    columns = np.where(is_split, nodes["feature_idx"].astype(np.intp), -1)
    thresholds = np.where(nodes["is_categorical"] == 0, nodes["num_threshold"], np.nan)
    left, right = (np.where(is_split, nodes[side].astype(np.intp), -1) for side in ("left", "right"))
    return Splits(columns, thresholds, left, right)


def _of_treelite(nodes: Sequence[Any]) -> Splits:
    place = {node["node_id"]: index for index, node in enumerate(nodes)}
    return Splits(
        np.array([node.get("split_feature_id", -1) for node in nodes], dtype=np.intp),
        np.array([node.get("threshold", np.nan) for node in nodes], dtype=np.float64),
        np.array([place.get(node.get("left_child"), -1) for node in nodes], dtype=np.intp),
        np.array([place.get(node.get("right_child"), -1) for node in nodes], dtype=np.intp),
    )
