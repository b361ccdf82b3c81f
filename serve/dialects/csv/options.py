"""How CSV is read and written."""

from dataclasses import dataclass

# What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection"): four signs, in full width too, and
# the characters that it skips before one.
FORMULA_SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
FORMULA_BLANKS = "\t\r\n"


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """How CSV is read and written."""

    max_columns: int = 4096
    max_cell_bytes: int = 64 * 2**10
    max_digits: int = 64
    escape_all: bool = False
