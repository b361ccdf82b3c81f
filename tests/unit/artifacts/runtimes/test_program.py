"""Programs are written to files and read unchanged; invalid files are refused."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from artifacts.errors import ArtifactUnloadable
from artifacts.predictions import Predictions
from artifacts.runtimes.heads import Linear, Vote
from artifacts.runtimes.program import CompiledProgram, Program, pack, unpack
from artifacts.runtimes.steps import Beside, Chain, Coded, Fill, Missing, Numbers
from artifacts.signature import Columns

NUMBERS = Numbers((0,), "float64")
FILLED = Chain((NUMBERS, Beside((Fill(np.array([2.0])), Missing((0,))))))
COLOUR = Coded(1, ("red", "green", True, 3), np.arange(12.0).reshape(6, 2), is_strict=False)
LINE = Linear("logistic", 0, np.array([[1.0, -1.0, 0.5, 0.25]]), np.array([0.5]))
PROGRAM = Program(Beside((FILLED, COLOUR)), LINE)
ROWS = Columns((np.array([1.0, np.nan, 3.0]), np.array(["red", None, "blue"], dtype=object)))


def test_a_program_is_read_as_it_was_written() -> None:
    """Every field of every step and the predictions are the same, to the last bit."""
    voting = Program(
        NUMBERS, Vote((Chain(()),), (Linear("number", 0, np.ones((1, 1)), np.zeros(1)),), np.array([]), False)
    )

    back = unpack(pack({"numpy": PROGRAM, "voting": voting}))

    assert list(back) == ["numpy", "voting"]
    assert back["numpy"].step.parts[1].values == COLOUR.values
    for before, after in ((PROGRAM, back["numpy"]), (voting, back["voting"])):
        first, second = (program.predict(ROWS[:1], probabilities=True) for program in (before, after))
        assert first.values.tolist() == second.values.tolist()
    assert back["numpy"].predict(ROWS, probabilities=False).probabilities is None


def test_each_value_has_its_own_row_of_the_table() -> None:
    """A known text, a null and an unknown text have separate rows of the table."""
    assert COLOUR(ROWS).tolist() == [[0.0, 1.0], [8.0, 9.0], [10.0, 11.0]]
    assert FILLED(ROWS).tolist() == [[1.0, 0.0], [2.0, 1.0], [3.0, 0.0]]


def test_a_strict_encoder_refuses_unknown_values() -> None:
    """An unknown value is a ValueError; the row-by-row check then finds its row."""
    strict = Coded(1, ("red",), np.zeros((3, 1)), is_strict=True)

    with pytest.raises(ValueError, match="does not know"):
        strict(ROWS)


@pytest.mark.parametrize(
    "packed",
    [b"", b"PK", pack({"a": PROGRAM})[:-40], np.array([1]).tobytes()],
    ids=["empty", "cut", "short", "array"],
)
def test_an_invalid_program_file_is_unloadable(packed: bytes) -> None:
    """Every exception of numpy or JSON becomes an ArtifactUnloadable."""
    with pytest.raises(ArtifactUnloadable, match="the runtime cannot be loaded"):
        unpack(packed)


def test_an_array_of_objects_is_not_unpickled(tmp_path: Any) -> None:
    """Numpy files may contain pickles; those of programs must not."""
    np.savez(tmp_path / "x.npz", program=np.array([{}], dtype=object))

    with pytest.raises(ArtifactUnloadable, match=r"cannot be loaded: ValueError$"):
        unpack((tmp_path / "x.npz").read_bytes())


class Named:
    """A runtime that predicts its own number."""

    has_probabilities = False

    def __init__(self, name: int, *, program_rows: int = 0) -> None:
        self.name = name
        self.program_rows = program_rows
        self.parts = [self]

    def predict(self, table: Any, *, probabilities: bool) -> Predictions:  # noqa: ARG002  # as the protocol has it
        """Predict the number for every row."""
        return Predictions(np.full(len(table), self.name))


@pytest.mark.parametrize(("rows", "chosen"), [(1, 0), (8, 0), (9, 1), (252, 1), (253, 2), (10**5, 2)])
def test_the_number_of_rows_chooses_the_runtime(rows: int, chosen: int) -> None:
    """The runtime chosen for the nearest measured number of rows predicts; nearest by ratio."""
    programs: Mapping[str, Named] = {name: Named(place) for place, name in enumerate("abc")}
    runtime = CompiledProgram(programs, {1: "a", 64: "b", 1_000: "c"})

    predictions = runtime.predict(np.zeros((rows, 1)), probabilities=False)

    assert set(predictions.values.tolist()) == {chosen}
    assert runtime.parts == list(programs.values())


@pytest.mark.parametrize(
    ("programs", "most"), [("ppp", sys.maxsize), ("pps", 252), ("pss", 8), ("psp", 8), ("spp", 0), ("sss", 0)]
)
def test_programs_predict_up_to_a_known_number_of_rows(programs: str, most: int) -> None:
    """Calls of at most `program_rows` rows never reach the estimator, whose time is not limited."""
    named = {str(place): Named(0, program_rows=sys.maxsize * (kind == "p")) for place, kind in enumerate(programs)}

    assert CompiledProgram(named, {1: "0", 64: "1", 1_000: "2"}).program_rows == most
