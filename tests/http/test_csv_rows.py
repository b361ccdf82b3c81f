"""The rows and cells of a CSV over HTTP: each row is predicted or has its own error."""

import pytest

from serve.dialects.csv.lines import CHUNK_BYTES, CHUNK_ROWS
from tests.conftest import SIGNS, WIDTH
from tests.support.bodies import CANARY, COLUMNS, HEADER, LINE, column, quoted, records, table
from tests.support.server import Api

ADDED = ["prediction", "probability_setosa", "probability_versicolor", "probability_virginica", "error"]

NO_NULL = ": for a missing value send null where the model takes nulls; this column takes none"
VIRGINICA = "6.3,3.3,6.0,2.5"
NOTES = [
    "=1+1",
    "@x",
    "-",
    " a ",
    'say "x"',
    "a,b",
    "1\n2",
    "1\r\n2",
    "1\r2",
    "\ufeff",
    "日本",
    "'",
    "\t",
    "",
    "NA",
]


def test_other_columns_pass_through(api: Api) -> None:
    """Columns that the model does not have are returned unchanged, with formulas, quotes, line breaks and blanks."""
    lines = ['"' + note.replace('"', '""') + f'",{LINE},7' for note in NOTES]

    answer = api.post_csv(table(*lines, header=f"note,{HEADER},"))

    assert column(answer, "note") == NOTES
    assert column(answer, "") == ["7"] * len(NOTES)
    assert column(answer, "prediction") == ["setosa"] * len(NOTES)


def test_an_error_has_the_physical_line_of_its_row(api: Api) -> None:
    """Blank lines and line breaks in quotes are counted, and a row has the number of its first line."""
    body = f'\nnote,{HEADER}\r\n"a\nb\rc",{LINE}\n\n"d\r\ne",{LINE},1\nf,5.1\n"\n",x,3.5,1.4,0.2\n'.encode()

    answer = api.post_csv(body)

    assert column(answer, "error") == [
        "",
        "line 7: expected 5 cells, got 6",
        "line 9: expected 5 cells, got 2",
        "line 10: sepal_length: expected a number",
    ]
    assert column(answer, "note") == ["a\nb\rc", "d\r\ne", "f", "\n"]


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("5.1", 1),
        ("5.1,3.5,1.4", 3),
        (f"{LINE},", 5),
        (f"{LINE},{CANARY}", 5),
        (f"{LINE},,,", 7),
        ("   ", 1),
        ('""', 1),
    ],
)
def test_a_short_or_long_row_is_a_row_with_an_error(api: Api, line: str, count: int) -> None:
    """A trailing comma makes a row too long, blanks make a row too short; its neighbours are answered."""
    answer = api.post_csv(table(LINE, line, LINE))

    assert column(answer, "prediction") == ["setosa", "", "setosa"]
    assert column(answer, "error") == ["", f"line 3: expected 4 cells, got {count}", ""]
    assert {len(record) for record in records(answer)} == {len(COLUMNS) + len(ADDED)}


def test_trailing_commas_everywhere_are_a_column(api: Api) -> None:
    """Where the header has the comma too, it is one more column without a name."""
    assert column(api.post_csv(table(f"{LINE},", header=f"{HEADER},")), "prediction") == ["setosa"]


def test_an_error_lists_all_faults_of_its_row(api: Api) -> None:
    """Each invalid cell is named by its column; its value is not shown."""
    answer = api.post_csv(table(f",{CANARY},inf,0.2"))

    assert column(answer, "error")[0].split("; ") == [
        "line 2: sepal_length: expected a value: training saw no null here",
        "sepal_width: expected a number",
        "petal_length: expected a finite number",
    ]
    assert [column(answer, name) for name in ADDED[:-1]] == [[""]] * 4
    assert CANARY not in api.server.log.read_text()


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("", "expected a value: training saw no null here"),
        (" ", "expected a value: training saw no null here"),
        ("NA", "expected a number"),
        ("null", "expected a number"),
        ("NaN", f"expected a finite number{NO_NULL}"),
        ("5,1", "expected a number: write a decimal point, not a comma"),
        ("-inf", "expected a finite number"),
        ("Infinity", "expected a finite number"),
        ("1e400", "expected a finite number"),
        ("true", "expected a number"),
        ("1_000", "expected a number"),
        ("0x10", "expected a number"),
        ("1e", "expected a number"),
        (".", "expected a number"),
        ("--5", "expected a number"),
        ("5 1", "expected a number"),
        ("٣", "expected a number"),
        ("[5]", "expected a number"),
        ("=5", "expected a number"),
        ("9" * 65, "expected a number of at most 64 digits"),
        ("9" * 5000, "expected a number of at most 64 digits"),
    ],
)
def test_an_invalid_cell_is_the_error_of_its_row(api: Api, cell: str, message: str) -> None:
    """A cell that is not a number is an error of its own row only."""
    answer = api.post_csv(table(LINE, f'"{cell}",3.5,1.4,0.2', LINE))

    assert column(answer, "error") == ["", f"line 3: sepal_length: {message}", ""]
    assert column(answer, "prediction") == ["setosa", "", "setosa"]


@pytest.mark.parametrize(
    ("cell", "same"), [("-" + "0" * 2000 + "5", "-5"), ("0" * 5000, "0"), ("5." + "0" * 9999, "5")]
)
def test_leading_and_trailing_zeros_change_nothing(api: Api, cell: str, same: str) -> None:
    """A number has the same value with any number of zeros."""
    answers = column(api.post_csv(table(f"{cell},3.5,1.4,0.2", f"{same},3.5,1.4,0.2")), "probability_setosa")

    assert answers[0] == answers[1] != ""


def test_all_rows_are_returned_in_order(api: Api) -> None:
    """Good, bad, short and long rows are all returned, in their order."""
    kinds = [LINE, VIRGINICA, ",,,", "5.1", f"{LINE},1", "a,b,c,d", '"\n",1,1,1']
    lines = [kinds[number * 5 % 7] for number in range(700)]

    answer = api.post_csv(table(*lines))

    wanted = {LINE: "setosa", VIRGINICA: "virginica"}
    assert column(answer, "prediction") == [wanted.get(line, "") for line in lines]
    assert [bool(text) for text in column(answer, "error")] == [line not in wanted for line in lines]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("5,0.5,1", ""),
        ("5.0,0.5,", ""),
        ("1e1,0.5,NA", ""),
        ("5,0.5, NA ", ""),
        ("5,0.5,na", "extra: expected a number"),
        ("5,0.5,n/a", "extra: expected a number"),
        ("5,0.5,nan", "extra: expected a finite number: send null for a missing value, in a CSV an empty cell"),
        (",0.5,1", "count: expected a value: training saw no null here"),
        ("5,NA,1", "ratio: expected a value: training saw no null here"),
        ("5.5,0.5,1", "count: expected a whole number"),
        ("128,0.5,1", "count: expected a value that fits into int8"),
        ("5,-1e39,1", "ratio: expected a value that fits into float32"),
        ("true,0.5,1", "count: expected a number"),
    ],
)
def test_each_kind_of_column_has_its_rules(zoo: Api, line: str, error: str) -> None:
    """Integers, float32 and nullable columns take what JSON gives them; null is the empty cell or a configured text."""
    answer = zoo.post_csv(table("5,0.5,", line, header="count,ratio,extra"))

    assert column(answer, "error") == ["", error and f"line 3: {error}"]
    assert column(answer, "prediction")[0] == "true"
    assert list(records(answer)[0])[3:] == ["prediction", "probability_false", "probability_true", "error"]


def test_labels_that_are_formulas_are_defused(zoo: Api) -> None:
    """A label that the server writes never runs in a spreadsheet; the column of its class keeps its name."""
    answer = zoo.post_csv(table("1", "-1", header="x"), "/api/v1/models/single/predict/csv")

    assert column(answer, "prediction") == ["'=1+1", "'@SUM(A1)"]
    assert [name for name in records(answer)[0] if "=" in name] == ["probability_=1+1"]


def test_labels_with_other_signs_are_defused(zoo: Api) -> None:
    """A sign of full width, a plus and a line break before a sign do not reach a spreadsheet; a number stays one."""
    answer = zoo.post_csv(table("-2", "-0.5", "0.5", "2", header="x"), "/api/v1/models/signs/predict/csv")

    assert column(answer, "prediction") == [label if label == "-1.5" else f"'{label}" for label in SIGNS]


def test_every_cell_is_defused_if_configured(zoo: Api) -> None:
    """With SEPAL_CSV_ESCAPE=all cells and names of the client cannot run either; numbers stay numbers."""
    formulas = ["=1+1", "+x", "-x", "@x", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff20x"]
    notes = [*formulas, "-5", "+5.5e1", "x=1", ""]
    lines = [f"-1,{quoted(note)}" for note in notes]

    answer = zoo.post_csv(table(*lines, header="x,=note"), "/api/v1/models/single/predict/csv")

    assert column(answer, "'=note") == [f"'{note}" for note in formulas] + notes[len(formulas) :]
    assert column(answer, "x") == ["-1"] * len(notes)


@pytest.mark.parametrize("large", [
    "5.1,3.5,1.4," + "1" * 2**18,
    "1," * 2**20,
    '5.1,3.5,1.4,"' + "a\n" * 2**19 + '"',
    f'5.1,"{"x" * 2**18}""",1.4,' + "0.2" * 2**18,
], ids=["cell", "row", "quoted cell of many lines", "quoted cell before another"])  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_row_that_is_too_large_is_an_error_row(api: Api, large: str, end: str) -> None:
    """After rows that are returned already, it becomes an error row with its line, and later rows are answered."""
    good = [LINE] * (CHUNK_ROWS + 1)

    answer = api.post_csv(table(*good, large, VIRGINICA, "x,1,1,1", large, end=end))

    answered, line = records(answer), len(good) + 2
    assert [record["prediction"] for record in answered] == ["setosa"] * len(good) + ["", "virginica", "", ""]
    assert answered[len(good)]["error"] == f"line {line}: the row or one of its cells is too large"
    assert answered[len(good)]["sepal_length"] == ""
    behind = line + large.count("\n") + 2
    assert answered[-2]["error"] == f"line {behind}: sepal_length: expected a number"


def test_a_row_of_256_kib_after_a_good_one_is_an_error_row(api: Api) -> None:
    """A row as long as a whole chunk, between two good rows, is an error row, and the others are predicted."""
    answer = api.post_csv(table(LINE, "5.1,3.5,1.4," + "1" * CHUNK_BYTES, LINE))

    assert column(answer, "prediction") == ["setosa", "", "setosa"]


def test_one_column_has_blank_lines_and_blank_cells(zoo: Api) -> None:
    """In a table of one column a blank line is skipped, and an empty text in quotes is a row."""
    answer = zoo.post_csv(table("", "1", '""', "", "-1", header="x"), "/api/v1/models/single/predict/csv")

    assert column(answer, "x") == ["1", "", "-1"]
    assert [bool(text) for text in column(answer, "error")] == [False, True, False]
    assert "line 4:" in column(answer, "error")[1]


def test_a_model_without_probabilities_adds_none(zoo: Api) -> None:
    """For a model without probabilities only labels and errors are added."""
    names = [f"x{number}" for number in range(WIDTH)]

    answer = zoo.post_csv(table(",".join("1" * WIDTH), header=",".join(names)), "/api/v1/models/wide/predict/csv")

    assert list(records(answer)[0])[WIDTH:] == ["prediction", "error"]
    assert column(answer, "prediction")[0] in {"1", "-1"}
