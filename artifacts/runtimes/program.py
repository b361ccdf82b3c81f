"""A model as data: steps and heads that consist of numbers, in one file without pickles."""

import io
import json
import sys
from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from itertools import pairwise, takewhile
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from artifacts.errors import ArtifactUnloadable
from artifacts.manifest import limit
from artifacts.predictions import Predictions
from artifacts.runtimes import Runtime
from artifacts.runtimes.heads import HEADS
from artifacts.runtimes.single_row import SingleRow, single_row
from artifacts.runtimes.steps import STEPS
from artifacts.signature import Table

_KINDS: Mapping[str, type] = {kind.__name__: kind for kind in (*STEPS, *HEADS)}
_OUTLINE = "program"


@dataclass(frozen=True, eq=False)
class Program:
    """
    A model as a step and a head.

    Attributes:
        columns: The names of the columns that it was made for, in their order; empty if an older release made it.
    """

    step: Any
    head: Any
    program_rows: ClassVar[int] = sys.maxsize
    columns: tuple[str, ...] = ()

    @property
    def has_probabilities(self) -> bool:
        """Whether it predicts probabilities."""
        return bool(self.head.has_probabilities)

    @property
    def parts(self) -> Sequence[Runtime]:
        """Itself."""
        return [self]

    def predict(self, table: Table, *, probabilities: bool) -> Predictions:
        """
        Predict a table.

        Raises:
            ValueError: A number became infinite; scikit-learn refuses such a batch as well.
        """
        if self._single_row and len(table) == 1:
            of_one = self._single_row(np.asarray(table), probabilities)
            if of_one is not None:
                return of_one
        with np.errstate(all="ignore"):
            wanted = probabilities and self.has_probabilities
            predictions: Predictions = self.head(self.step(table), probabilities=wanted)
        return predictions

    @cached_property
    def _single_row(self) -> SingleRow | None:
        return single_row(self.step, self.head)


class CompiledProgram:
    """The runtime that was measured to be the fastest for each number of rows."""

    def __init__(self, programs: Mapping[str, Runtime], choice: Mapping[int, str]) -> None:
        """
        Set the runtimes.

        Args:
            programs: The runtimes by name.
            choice: The name of the fastest per number of rows that was measured.
        """
        sizes = sorted(choice)
        self._limits = [limit(low, high) for low, high in pairwise(sizes)]
        self._programs = [programs[choice[size]] for size in sizes]
        self.has_probabilities = self._programs[0].has_probabilities
        reach = [*(limit - 1 for limit in self._limits), sys.maxsize]
        bounded = takewhile(lambda pair: pair[0].program_rows, zip(self._programs, reach, strict=True))
        self.program_rows = max((most for _, most in bounded), default=0)

    @property
    def parts(self) -> Sequence[Runtime]:
        """Each runtime once."""
        return list(dict.fromkeys(self._programs))

    def predict(self, table: Table, *, probabilities: bool) -> Predictions:
        """
        Predict a table; see `Program.predict`.

        Raises:
            ValueError: A number became infinite.
        """
        program = self._programs[bisect(self._limits, len(table))]
        return program.predict(table, probabilities=probabilities)


def pack(programs: Mapping[str, Program]) -> bytes:
    """Return programs as one file in numpy's own format: an outline in JSON, and every array."""
    arrays: dict[str, NDArray[Any]] = {}
    outline = {name: _outlined(program, arrays) for name, program in programs.items()}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{_OUTLINE: np.frombuffer(json.dumps(outline).encode(), np.uint8), **arrays})
    return buffer.getvalue()


def unpack(packed: bytes) -> dict[str, Program]:
    """
    Return the programs of a file.

    Raises:
        ArtifactUnloadable: The file is invalid.
    """
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as file:
            arrays = dict(file)
        outline = json.loads(arrays.pop(_OUTLINE).tobytes())
        return {name: _made(known, arrays) for name, known in outline.items()}
    except Exception as error:
        # The bytes are the published ones, so this code is too old or too new for them; any error may result.
        raise ArtifactUnloadable(f"the runtime cannot be loaded: {type(error).__name__}") from error


def _outlined(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, np.ndarray):
        name = f"a{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, tuple):
        return [_outlined(each, arrays) for each in value]
    if is_dataclass(value):
        known = {field.name: _outlined(getattr(value, field.name), arrays) for field in fields(value)}
        return {"kind": type(value).__name__, **known}
    return value


def _made(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(value, list):
        return tuple(_made(each, arrays) for each in value)
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    make: Callable[..., Any] = {**_KINDS, "Program": Program}[value["kind"]]
    return make(**{name: _made(each, arrays) for name, each in value.items() if name != "kind"})
