"""Numbers for a column of integers are read exactly or refused, on every path of the server."""

import json
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from artifacts import Store
from artifacts.number_formats import FloatLiteral
from tests.support.bodies import records
from tests.support.server import Api, Server, environment, untraced
from train import publish

PATH = "/api/v1/models/parity/predict"
BEYOND = 2**53
# So many valid rows that a block is not read row by row, and that the body is large for the fast decoder.
MANY = 60

EXACT = {
    "9007199254740993": "odd",
    "9007199254740993.0": "odd",
    "9007199254740993e0": "odd",
    "9007199254740992.0": "even",
    "900719925474099.3e1": "odd",
    "90071992547409930E-1": "odd",
    "9007199254740991.0": "odd",
    "9007199254740990": "even",
    "9.007199254740993E+15": "odd",
}
REFUSED = {
    "1.5": "expected a whole number",
    "9007199254740993.5": "expected a whole number",
    "9007199254740991.4": "expected a whole number",
    "1.0000000000000001": "expected a whole number",
    "0.99999999999999999999": "expected a whole number",
    "1e-400": "expected a whole number",
    "12e-1": "expected a whole number",
    "1e-59": "expected a whole number",
    "1e400": "expected a finite number",
    "1e300": "expected a value that fits into int64",
    "9223372036854775808": "expected a value that fits into int64",
    "9223372036854775808.0": "expected a value that fits into int64",
    "-9223372036854775809": "expected a value that fits into int64",
    "9" * 65: "expected a number of at most 64 digits",
}
TAKEN = ["-0.0", "-0", "0e0", "1E+2", "9223372036854775807.0", "-9223372036854775808e0", "5." + "0" * 40]


@pytest.fixture(scope="module")
def parity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server for a model that distinguishes odd and even integers beyond the precision of floats."""
    numbers = np.arange(BEYOND - 20, BEYOND + 20, dtype=np.int64).repeat(2)
    X = pd.DataFrame({"ratio": np.linspace(0, 1, len(numbers)), "number": numbers})
    one_hot = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["number"]), remainder="passthrough")
    y = np.where(numbers % 2 == 1, "odd", "even")
    tree = make_pipeline(one_hot, DecisionTreeClassifier(random_state=0)).fit(X, y)
    store = Store(tmp_path_factory.mktemp("parity"))
    with untraced():
        publish(tree, X, y, name="parity", store=store)
    env = environment(artifacts=store.root, state=tmp_path_factory.mktemp("state"), expose="docs")
    with Server(env) as running:
        yield Api(running, running.bearer())


def _json(api: Api, literal: str, *, rows: int = 1, by_name: bool = False, query: str = "") -> str:
    row = f'{{"number": {literal}, "ratio": 0.5}}' if by_name else f"[0.5, {literal}]"
    body = '{"instances": [' + ", ".join([row] * rows) + "]}"
    headers = {**api.headers, "Content-Type": "application/json"}
    answer = api.server.client.post(PATH + query, content=body.encode(), headers=headers).json()
    answers = answer["predictions"] if "predictions" in answer else [entry["message"] for entry in answer["errors"]]
    [one] = set(answers)
    return str(one)


def _csv(api: Api, cell: str, *, rows: int = 1, good: int = 0, end: str = "\n") -> str:
    lines = ["ratio,number", *[f"0.5,{cell}"] * rows, *["0.5,9007199254740992"] * good]
    answers = records(api.post_csv(end.join([*lines, ""]).encode(), PATH + "/csv"))
    [one] = {record["prediction"] or record["error"].partition("number: ")[2] for record in answers[:rows]}
    assert [record["prediction"] for record in answers[rows:]] == ["even"] * good
    return one


WAYS: dict[str, Callable[[Api, str], str]] = {
    "one vector": _json,
    "many vectors": lambda api, text: _json(api, text, rows=MANY),
    "one object": lambda api, text: _json(api, text, by_name=True),
    "many objects": lambda api, text: _json(api, text, rows=MANY, by_name=True),
    "with a query": lambda api, text: _json(api, text, rows=MANY, query="?probabilities=false"),
    "a row of CSV": _csv,
    "many rows of CSV": lambda api, text: _csv(api, text, rows=MANY),
    "among good rows": lambda api, text: _csv(api, text, good=MANY),
    "record by record": lambda api, text: _csv(api, text, rows=2, good=1, end="\r"),
    "in quotes": lambda api, text: _csv(api, f'"{text}"', rows=2, good=1),
    "between blanks": lambda api, text: _csv(api, f" {text} ", good=3),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_integer_is_read_exactly(parity: Api, way: str) -> None:
    """In any spelling the exact integer is read, also where the nearest float is another integer."""
    assert {text: WAYS[way](parity, text) for text in EXACT} == EXACT


@pytest.mark.parametrize("way", WAYS)
def test_what_is_not_an_integer_is_refused(parity: Api, way: str) -> None:
    """A fraction is refused even if its nearest float is whole, and so is an integer beyond the dtype."""
    answers = {text: WAYS[way](parity, text) for text in REFUSED}

    assert {text: message.partition(":")[0] for text, message in answers.items()} == REFUSED


@pytest.mark.parametrize("way", WAYS)
def test_zeros_exponents_and_bounds_are_accepted(parity: Api, way: str) -> None:
    """The bounds of the dtype, a signed zero, exponents, and any number of zeros after the point are accepted."""
    assert {WAYS[way](parity, text) for text in TAKEN} <= {"odd", "even"}


def test_hexadecimal_is_refused(parity: Api) -> None:
    """`0x10`, which Arrow would read as 16, is refused on the fast path too."""
    assert _csv(parity, "0x10", rows=2, good=MANY) == "expected a number"


@pytest.mark.parametrize(("text", "integer"), [
    ("0e9999999", 0), ("1e308", 10**308), ("+5.", 5), (".5", None), ("1e-99999999999999999999", None),
])  # fmt: skip
def test_a_literal_has_its_exact_integer(text: str, integer: int | None) -> None:
    """The integer of a literal is found quickly for any exponent; it is None for a fraction."""
    literal = FloatLiteral(text)

    assert literal.integer == integer
    assert repr(literal) == text
    assert literal == float(text)


def test_a_float_column_next_to_integers_keeps_its_floats(parity: Api) -> None:
    """Floats are unchanged next to a column whose integers are sent as floats."""
    body = json.dumps({"instances": [[0.1, 9007199254740992.0]] * 3}).encode()

    answer = parity.server.client.post(
        PATH, content=body, headers={**parity.headers, "Content-Type": "application/json"}
    )

    assert answer.json()["predictions"] == ["even"] * 3
