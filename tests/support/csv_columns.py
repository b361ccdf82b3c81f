"""Columns of every kind, and cells that are valid, invalid or close to it in each of them."""

from hypothesis import strategies as st

from artifacts import Column, Signature
from artifacts.columns import Category
from artifacts.number_formats import NumberFormat
from serve.dialects.csv.options import CsvOptions

OPTIONS = CsvOptions(max_columns=100, max_cell_bytes=200, max_digits=20, escape_all=False)
COLOURS = tuple(Category(value=value, count=1) for value in ("red", "NA", "dark blue"))
SIZES = tuple(Category(value=value, count=1) for value in (1, 5, -9))
PRICES = NumberFormat(decimal=",", thousands=".", percent=True, currency="€", parentheses=True)
COLUMNS = (
    Column(name="length", kind="float", dtype="float64", nullable=False),
    Column(name="width", kind="float", dtype="float32", nullable=True),
    Column(name="count", kind="integer", dtype="int8", nullable=False),
    Column(name="many", kind="integer", dtype="Int64", nullable=True),
    Column(name="flag", kind="boolean", dtype="bool", nullable=False),
    Column(name="colour", kind="category", dtype="str", levels="str", nullable=True, categories=COLOURS),
    Column(name="size", kind="category", dtype="category", levels="int64", nullable=False, categories=SIZES),
    Column(name="note", kind="text", dtype="object", nullable=True),
    Column(name="price", kind="float", dtype="float64", nullable=True, numbers=PRICES),
    Column(name="visits", kind="integer", dtype="int64", nullable=False, numbers=NumberFormat(thousands=",")),
)  # fmt: skip
NAMES = [column.name for column in COLUMNS]
SIGNATURE = Signature(container="frame", columns=COLUMNS, csv_nulls=("NA", "-9"))
ODD = [
    "", " ", "NA", " NA", "-9", " -9 ", "-9.0", "+5", ".5", "5.", " 5 ", "\t5", "007", "-0", "-0.0", "0", "inf", "-inf",
    "nan", "NaN", "nan(1)", "Infinity", "1e400", "1e-400", "1e39", "0x10", "1_0", "1e", "5f", "128", "5.5", "1e2",
    "9" * 21, "9" * 400, "9007199254740992", "9223372036854775808", "tRue", " true", "Red", "1.0", "5.00", "=1+1", "@x",
    "\uff1d1", "\uff0b1", "\uff0d1", "\uff20x",
    "-x", "+", "'", "\\", "\x01", "\x0b5", "\x85", "\u2028", "\ufeff", "\ufeff5", "\xa05", "٣", "5 1", "\U0001f600",
    "c" * 200, "c" * 201, "6.341", "63.41", "1.234%", "12.34%", "0.5%", "%", "€", "()", "(5)", "1 000",
]  # fmt: skip
cells = st.sampled_from(ODD) | st.text("+-.eE019xinfaNA \t_", max_size=5)
