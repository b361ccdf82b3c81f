"""The JSON of each server: the rows in a request, and the labels in a response."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = Sequence[Any]
Rows = Sequence[Row]


@dataclass(frozen=True, slots=True)
class Table:
    """
    Rows of one model, with the offline predictions.

    Attributes:
        model: The name of the model.
        columns: The names of the columns.
        rows: The rows as JSON values.
        expected: The class of each row as text.
        names: The label of each row according to the label map.
    """

    model: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    expected: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def has_texts(self) -> bool:
        """Whether the rows have texts."""
        return any(isinstance(value, str) for value in self.rows[0])

    def records(self, rows: Rows) -> list[dict[str, Any]]:
        """Return rows as objects."""
        return [dict(zip(self.columns, row, strict=True)) for row in rows]

    def places(self, number: int, *, size: int) -> list[int]:
        """Return the places of the `size` rows in body `number`; after the last row comes the first."""
        return [place % len(self.rows) for place in range(number * size, (number + 1) * size)]


def read_tables(file: Path) -> dict[str, Table]:
    """Read the file that `models` wrote."""
    return {
        name: Table(name, **{key: tuple(values) for key, values in table.items()})
        for name, table in json.loads(file.read_text()).items()
    }


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    One server's JSON.

    Attributes:
        body: Creates the body of a request from rows of a table.
        labels: Returns the labels of a response in the order of the rows.
        names: Whether the server returns labels of the label map, or the classes.
    """

    body: Callable[[Table, Rows], object]
    labels: Callable[[Any], Sequence[object]]
    names: bool = False

    def expected(self, table: Table, places: Sequence[int]) -> list[str]:
        """Return the labels, as texts, that the server must return for these rows."""
        labels = table.names if self.names else table.expected
        return [labels[place] for place in places]

    def decode(self, response: bytes) -> list[str]:
        """Return the labels of a response as texts."""
        return [str(label) for label in self.labels(json.loads(response))]


def _tutorial(table: Table, rows: Rows) -> object:
    if len(rows) > 1:
        return {"rows": rows}
    return table.records(rows)[0] if table.has_texts else {"features": rows[0]}


def _mlflow(table: Table, rows: Rows) -> object:
    return {"dataframe_split": {"columns": table.columns, "data": rows}} if table.has_texts else {"inputs": rows}


def _mlserver(table: Table, rows: Rows) -> object:
    if table.has_texts:
        columns = zip(table.columns, zip(*rows, strict=True), strict=True)
        return {"parameters": {"content_type": "pd"}, "inputs": [_input(name, values) for name, values in columns]}
    flat = [value for row in rows for value in row]
    return {"inputs": [{"name": "rows", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": flat}]}


def _input(name: str, values: Sequence[Any]) -> Mapping[str, object]:
    is_text = name in {"island", "sex"}
    datatype = "BYTES" if is_text else "INT64" if name == "year" else "FP64"
    return {"name": name, "shape": [len(values), 1], "datatype": datatype, "data": values}


def _predictions(answer: Any) -> Sequence[object]:
    return answer["predictions"] if "predictions" in answer else [answer["prediction"]]


SEPAL = Dialect(lambda _, rows: {"instances": rows}, _predictions, names=True)
TUTORIAL = Dialect(_tutorial, _predictions)
ROWS = Dialect(lambda _, rows: {"rows": rows}, _predictions)
BENTOML = Dialect(lambda _, rows: {"rows": rows}, lambda answer: answer)
MLFLOW = Dialect(_mlflow, _predictions)
MLSERVER = Dialect(_mlserver, lambda answer: answer["outputs"][0]["data"])
VETIVER = Dialect(lambda table, rows: table.records(rows), lambda answer: answer["predict"])
