"""Tables as people have them, each trained by the command line and sent back, as the same file, to a server."""

import csv
import io
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from artifacts import Store
from tests.support.server import Api, Server, environment, run
from train.__main__ import main
from train.publishing import publish

# A dozen models are trained before the first of these tests.
pytestmark = pytest.mark.timeout(600)

CHANCE = np.random.default_rng(0)
ROWS = 60
WEIGHTS = CHANCE.permutation(np.arange(1_000, 9_999))[:ROWS].tolist()
TOWNS = CHANCE.choice(["Ulm", "Köln", "Bonn"], ROWS).tolist()
# What the weight decides.
KINDS = ["heavy" if weight > 5_000 else "light" for weight in WEIGHTS]


def rows(write: Callable[[int], str], *, delimiter: str = ",", end: str = "") -> list[str]:
    """The lines of the table, its weights written in some way."""
    cells = zip(map(write, WEIGHTS), TOWNS, KINDS, strict=True)
    return [delimiter.join(row) + end for row in cells]


def point(weight: int) -> str:
    """As JSON writes it."""
    return f"{weight / 100:.2f}"


def with_stray(lines: list[str]) -> list[str]:
    """One of the weights is not known."""
    return [*lines[:16], f"n.d.,{TOWNS[16]},{KINDS[16]}", *lines[17:]]


PLAIN = rows(point)


@dataclass(frozen=True)
class Case:
    """
    A table.

    Attributes:
        lines: The header and the rows.
        reported: What the command reports.
        errors: What the server says of the rows that it refuses.
        accuracy: The least share of rows that are predicted right.
    """

    lines: list[str]
    reported: str
    errors: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    accuracy: float = 1.0


HEADER = "weight,town,y"
NUMBER = "weight: expected a number"
CASES = {
    "decimal-comma": Case(
        ["weight;town;y", *rows(lambda weight: point(weight).replace(".", ","), delimiter=";")],
        "read as numbers with a decimal comma, here and by the server: 'weight' (",
    ),
    "decimal-comma-tab": Case(
        ["weight\ttown\ty", *rows(lambda weight: f"{weight:_}".replace("_", ".") + ",5", delimiter="\t")],
        "read as numbers with a decimal comma and thousands separated by '.', here and by the server: 'weight' (",
    ),
    "thousands": Case(
        [HEADER, *rows(lambda weight: f'"{weight:,}"')], "read as numbers with thousands separated by ',', here and by"
    ),
    "percent": Case(
        [HEADER, *rows(lambda weight: point(weight) + "%")], "read as numbers with a percent sign, divided by 100"
    ),
    "currency": Case(
        [HEADER, *rows(lambda weight: f'"${weight:,.2f}"')],
        "read as numbers with thousands separated by ',' and the currency sign $",
    ),
    "stray": Case(
        [HEADER, *with_stray(PLAIN)],
        "warning: column 'weight' is text, and would be numbers without 'n.d.' on line 18 (if this means null: --null "
        "n.d.)",
        accuracy=0.85,
    ),
    "stray-null": Case(
        [HEADER, *with_stray(PLAIN)],
        "read as null, here and by the server: an empty cell, 'n.d.'",
        options=("--null", "n.d."),
        # Whose weight is not known can be taken for the other.
        accuracy=59 / 60,
    ),
    "total": Case(
        [HEADER, *PLAIN, "Total,,"],
        "rows without a target that do not fit their columns, such as totals or units: 1, on line 62",
        errors=(f"line 62: {NUMBER}; town: expected a value: training saw no null here",),
    ),
    "units": Case(
        [HEADER, "kg,,", *PLAIN],
        "such as totals or units: 1, on line 2 (",
        errors=(f"line 2: {NUMBER}; town: expected a value: training saw no null here",),
    ),
    "header-twice": Case(
        [HEADER, *PLAIN[:30], HEADER, *PLAIN[30:]],
        "rows that repeat the header are left out: 1, on line 32 (remove them from the file",
        errors=(f"line 32: {NUMBER}; town: expected one of the categories",),
    ),
    "unlabelled": Case([HEADER, *PLAIN, "21.50,Oslo,", ",Oslo,", "3,,"], "rows without 'y' are left out: 3 of 63"),
    "trailing": Case([f"{HEADER},,", *rows(point, end=",,")], "trailing: 60 rows, 2 columns"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tables are."""
    folder = tmp_path_factory.mktemp("tables")
    for name, case in CASES.items():
        (folder / f"{name}.csv").write_text("\n".join(case.lines) + "\n")
    codes = [f"{number % 3:05},{kind}" for number, kind in enumerate(["a", "b", "c"] * 20)]
    (folder / "codes.csv").write_text("\n".join(["code,y", *codes]) + "\n")
    return folder


@pytest.fixture(scope="module")
def reports(folder: Path) -> dict[str, str]:
    """What the command prints for each table; the first one is trained by a process of its own."""
    options = {name: case.options for name, case in CASES.items()} | {"codes": ()}
    arguments = {
        name: ["--csv", str(folder / f"{name}.csv"), "--target", "y", "--folds", "2", *more]
        for name, more in options.items()
    }
    first, *others = arguments
    alone = run("train", *arguments[first], env=environment(artifacts=folder / "store"))
    assert (alone.returncode, alone.stderr) == (0, "")
    return {first: alone.stdout, **{name: _trained(arguments[name], folder) for name in others}}


def _trained(arguments: list[str], folder: Path) -> str:
    """What the command prints here; programs, which are tested elsewhere, take half of its time."""
    with pytest.MonkeyPatch.context() as patch:
        written = io.StringIO()
        patch.setenv("SEPAL_ARTIFACTS", str(folder / "store"))
        patch.setattr("train.__main__.publish", partial(publish, compiled=False))
        # Not by assigning to `report.console.file`: undoing that would fix the console to the stdout of this moment,
        # and hide its output from all later tests.
        with redirect_stdout(written):
            assert main(arguments) == 0
        return written.getvalue()


@pytest.fixture(scope="module")
def api(reports: dict[str, str], folder: Path) -> Iterator[Api]:
    """A server for all of them."""
    assert reports
    env = environment(artifacts=folder / "store", state=folder / "state", log_format="json")
    with Server(env) as server:
        yield Api(server, server.bearer())


@pytest.mark.parametrize("name", CASES)
def test_the_command_reports_how_it_reads_a_table(name: str, reports: dict[str, str]) -> None:
    """How numbers are written, what is null, and which lines are no rows."""
    assert CASES[name].reported in reports[name]


@pytest.mark.parametrize("name", CASES)
def test_the_same_file_is_predicted(name: str, api: Api, folder: Path) -> None:
    """A server reads the training file as training did; a row is refused only for its own mistake."""
    case = CASES[name]
    content = (folder / f"{name}.csv").read_bytes()

    answer = api.post_csv(content, f"/api/v1/models/{name}/predict/csv")

    assert answer.status_code == 200
    delimiter = next(sign for sign in ";\t," if sign in case.lines[0])
    rows = list(csv.DictReader(io.StringIO(answer.text), delimiter=delimiter))
    errors = [row["error"] for row in rows if row["error"]]
    assert len(rows) == len(case.lines) - 1
    assert len(errors) == len(case.errors)
    assert all(error.startswith(start) for error, start in zip(errors, case.errors, strict=True))
    right = [row["prediction"] == row["y"] for row in rows if row["y"] in {"heavy", "light"}]
    assert len(right) == ROWS
    assert np.mean(right) >= case.accuracy


@pytest.mark.parametrize("name", ["trailing", "decimal-comma"])
def test_the_printed_curl_works(name: str, api: Api, reports: dict[str, str]) -> None:
    """The last line is a command; only the server's port and the token are others here."""
    command = shlex.split(reports[name].splitlines()[-1].replace("$(make -s token)", api.headers["Authorization"][7:]))
    base = str(api.server.client.base_url).rstrip("/")

    output = subprocess.run(
        [part.replace("http://127.0.0.1:8000", base) for part in command],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert output.stdout.count("heavy") + output.stdout.count("light") >= ROWS
    assert not [line for line in output.stdout.splitlines() if "expected" in line]


def test_types_come_from_the_rows_with_a_target(api: Api) -> None:
    """A footer, units or a second header do not turn a column of numbers into texts."""
    for name in ("total", "units", "header-twice"):
        answer = api.predict([[83, "Ulm"], [13.5, "Ulm"]], f"/api/v1/models/{name}/predict")

        assert answer.json()["predictions"] == ["heavy", "light"]


def test_json_has_numbers_whatever_the_csv_format(api: Api) -> None:
    """The number format is that of the CSV: JSON has a fraction for a percentage, and refuses a text."""
    path = "/api/v1/models/percent/predict"

    assert api.predict([[0.8, "Ulm"], [0.2, "Ulm"]], path).json()["predictions"] == ["heavy", "light"]
    assert api.predict([["80%", "Ulm"]], path).json()["errors"][0]["code"] == "not-a-number"


@pytest.mark.parametrize(
    ("name", "cells", "is_read"),
    [
        ("decimal-comma", ["63,41", "63.41", "0.341", "63", "1,5e1"], True),
        ("decimal-comma", ["6.341", "1.234.567", "6,3,4"], False),
        ("decimal-comma-tab", ["1.234,5", "1234,5", "1.234", "63.41"], True),
        ("decimal-comma-tab", ["1.23,5", "12.34.5"], False),
        ("thousands", ["6,341", "6341", "6341.0", "1,234,567"], True),
        ("thousands", ["6,34", "63,4100", "0,341", "6341.5"], False),
        ("percent", ["12.30%", "12 %", "+5%"], True),
        ("percent", ["12.30", "0.123", "12.30%%"], False),
        ("currency", ["$1,200.50", "1200.50", "-$5", "$ 5", "5$"], True),
        ("currency", ["€5", "$5$", "5 USD"], False),
    ],
)
def test_other_number_formats_are_read_only_if_unambiguous(
    name: str, cells: list[str], is_read: bool, api: Api
) -> None:
    """JSON's numbers are read too; a cell that could be two numbers is refused."""
    body = "weight\ttown\n" + "".join(f"{cell}\tUlm\n" for cell in cells)

    answer = api.post_csv(body.encode(), f"/api/v1/models/{name}/predict/csv")

    rows = csv.DictReader(io.StringIO(answer.text), delimiter="\t")
    expected = "" if is_read else "weight: expected a"
    assert [row["weight"] for row in rows if expected not in row["error"] or (is_read and row["error"])] == []


def test_codes_with_leading_zeros_are_texts(api: Api, folder: Path) -> None:
    """In training, in JSON and in a CSV."""
    [column] = Store(folder / "store").manifest("codes", 1).signature.columns

    assert (column.kind, column.known) == ("category", ["00000", "00001", "00002"])
    path = "/api/v1/models/codes/predict"
    assert api.predict([["00000"], ["00002"]], path).json()["predictions"] == ["a", "c"]
    assert api.predict([[2]], path).json()["errors"][0]["code"] == "not-a-text"
    rows = api.post_csv((folder / "codes.csv").read_bytes(), f"{path}/csv").text.splitlines()[1:]
    assert all(row.split(",")[1] == row.split(",")[2] for row in rows)


def test_several_columns_without_a_name_have_names_in_ndjson(api: Api) -> None:
    """An object has each key once."""
    answer = api.server.client.post(
        "/api/v1/models/trailing/predict/csv",
        content=b"weight,town,y,,\n81,Bonn,heavy,,\n",
        headers={**api.headers, "Content-Type": "text/csv", "Accept": "application/x-ndjson"},
    )

    assert list(answer.json())[:6] == ["weight", "town", "y", "Unnamed: 3", "Unnamed: 4", "prediction"]


def test_a_counter_alone_is_refused_with_advice(tmp_path: Path) -> None:
    """The refusal names the option that publishes it, and what was read as null."""
    years = [f"{1960 + row},{'early' if row < 30 else 'late'}" for row in range(ROWS)]
    (tmp_path / "years.csv").write_text("\n".join(["year,y", *years, "2030,NA"]) + "\n")
    arguments = ["--csv", str(tmp_path / "years.csv"), "--target", "y"]
    env = environment(artifacts=tmp_path / "store")

    refused, kept = (run("train", *arguments, *more, env=env) for more in ((), ("--keep", "year")))

    assert (refused.returncode, kept.returncode) == (1, 0)
    assert refused.stderr == (
        "not published: no column is left to predict the target from: column 'year' identifies rows, as an id does, "
        "and is left out (if it is not an id: --keep year); read as null: an empty cell, 'NA'\n"
    )
