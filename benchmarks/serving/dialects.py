"""How each server wants rows, and where its answer has the labels."""

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
    Rows of one model, and what it says of them offline.

    Attributes:
        model: Its name.
        columns: The names of the columns.
        rows: The rows, as JSON carries them.
        expected: The class of each row as text.
        names: What the label map makes of each class.
    """

    model: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    expected: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def has_texts(self) -> bool:
        """Whether it is more than an array of numbers."""
        return any(isinstance(value, str) for value in self.rows[0])

    def records(self, rows: Rows) -> list[dict[str, Any]]:
        """Rows as objects."""
        return [dict(zip(self.columns, row, strict=True)) for row in rows]

    def places(self, number: int, *, size: int) -> list[int]:
        """Which rows the body of that number has, if each has `size` of them: they go round and round."""
        return [place % len(self.rows) for place in range(number * size, (number + 1) * size)]


def read_tables(file: Path) -> dict[str, Table]:
    """What `models` wrote."""
    return {
        name: Table(name, **{key: tuple(values) for key, values in table.items()})
        for name, table in json.loads(file.read_text()).items()
    }


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    One server's JSON.

    Attributes:
        body: Makes a request of a table's rows.
        labels: Finds the labels in an answer, in the order of the rows.
        names: Whether it tells names of the label map, or the bare class.
    """

    body: Callable[[Table, Rows], object]
    labels: Callable[[Any], Sequence[object]]
    names: bool = False

    def expected(self, table: Table, places: Sequence[int]) -> list[str]:
        """What it must tell of these rows, as texts."""
        told = table.names if self.names else table.expected
        return [told[place] for place in places]

    def told(self, answer: bytes) -> list[str]:
        """What it told, as texts."""
        return [str(label) for label in self.labels(json.loads(answer))]


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
