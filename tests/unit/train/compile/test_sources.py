"""The input of a step: columns of the table, or the array of the step before."""

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression

from artifacts import Column, Signature
from artifacts.runtimes.steps import Arithmetic, Beside, Chain, Fill, Finite, Numbers, Take
from tests.support.tiny_models import column
from train.compile.errors import NotLowered
from train.compile.sources import Source

TEXT = Column(name="text", kind="text", dtype="str", nullable=False)
DOUBLE = Arithmetic(("*",), (np.array([2.0]),))


def source(*columns: Column) -> Source:
    """Return the columns of a table."""
    return Source.of(Signature(container="frame", columns=columns))


def floats(*names: str) -> Source:
    """Return columns of float64."""
    return source(*(column(name, "float64") for name in names))


@pytest.mark.parametrize(
    ("dtypes", "keep", "dtype"),
    [
        (("float64", "int8"), False, "float64"),
        (("float32", "float32"), False, "float32"),
        (("float32", "int64"), False, "float64"),
        (("int8", "int64"), False, "float64"),
        (("int8", "int64"), True, "int64"),
    ],
)
def test_columns_become_an_array_as_in_scikit_learn(dtypes: tuple[str, ...], keep: bool, dtype: str) -> None:
    """Single precision stays, integers stay on request, and everything else becomes double."""
    columns = (column(f"c{place}", each) for place, each in enumerate(dtypes))

    array = source(*columns).as_array(keep=keep)

    assert array.steps == (Numbers((0, 1), dtype),)
    assert array.signature is None
    assert array.as_array() is array


@pytest.mark.parametrize(
    ("strange", "dtype"),
    [
        (TEXT, "str"),
        (Column(name="text", kind="integer", dtype="Int64", nullable=True), "Int64"),
        (Column(name="text", kind="boolean", dtype="boolean", nullable=True), "boolean"),
        (Column(name="text", kind="boolean", dtype="object", nullable=True), "object"),
    ],
    ids=["text", "Int64", "boolean", "object"],
)
def test_other_columns_do_not(strange: Column, dtype: str) -> None:
    """The reason names the first column that is no number of numpy."""
    mixed = source(column("a", "float64"), strange)

    assert not mixed.is_numeric
    with pytest.raises(NotLowered, match=f"column 'text' has dtype {dtype}, not a numeric one of numpy"):
        mixed.as_array()


def test_columns_of_a_table_are_taken_without_a_step() -> None:
    """A selection of a selection knows the places in the table; an array needs a step for it."""
    taken = floats("a", "b", "c").take([2, 1]).take([1])

    assert [each.name for each in taken.columns] == ["b"]
    assert (taken.places, taken.steps, taken.width) == ((1,), (), 1)
    assert Source(3).take([2, 0]).steps == (Take((2, 0)),)
    assert Source(3).columns == ()


def test_steps_become_one() -> None:
    """One step is itself, and several are a chain."""
    once = Source(1).then(DOUBLE, 1)

    assert once.step is DOUBLE
    assert isinstance(once.then(DOUBLE, 1).step, Chain)


def test_parallel_steps_of_a_table_begin_at_the_table() -> None:
    """The parts of a table are joined side by side, and a single part is not wrapped."""
    table = floats("a", "b")
    parts = [table.fork().take([place]).as_array() for place in (0, 1)]

    assert table.fork() is table
    joined = table.join(parts)
    assert joined.width == 2
    assert isinstance(joined.step, Beside)
    assert table.join(parts[:1]).step == parts[0].step


def test_parallel_steps_of_an_array_follow_its_steps() -> None:
    """The parts begin without steps, and their join comes after the steps before them."""
    before = Source(2).then(DOUBLE, 2)
    start = before.fork()

    joined = before.join([start.take([0]), start.take([1])])

    assert start.steps == ()
    assert joined.steps[0] is DOUBLE
    assert isinstance(joined.steps[1], Beside)
    assert joined.may_overflow


def test_a_transformer_after_arithmetic_checks_for_infinity() -> None:
    """Only a step that may make infinities is followed by a check, once, with nulls as the transformer accepts them."""
    safe = Source(1).then(Fill(np.array([0.0])), 1)
    unsafe = Source(1).then(DOUBLE, 1)

    assert safe.checked_for(SimpleImputer()) is safe
    checked = unsafe.checked_for(SimpleImputer())
    assert checked.steps[-1] == Finite(takes_nulls=True)
    assert checked.checked_for(SimpleImputer()) is checked
    assert unsafe.checked_for(LogisticRegression()).steps[-1] == Finite(takes_nulls=False)
