"""How the numbers of a CSV column are written, and how such a cell is read, in training and by the server."""

import re
import unicodedata
from decimal import Decimal as ExactDecimal
from decimal import InvalidOperation
from functools import cached_property
from typing import Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Decimal: TypeAlias = Literal[".", ","]
Thousands: TypeAlias = Literal["", ",", ".", " ", "'"]

# A JSON number, or one with a leading plus, leading zeros, or without digits on one side of the point. Possessive:
# nothing is tried twice, so that a long cell takes time in proportion to its length.
NUMBER = re.compile(r"[+-]?(?:[0-9]++\.?+[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
WHOLE = re.compile(r"[+-]?[0-9]+")
# A whole number is cut to this many digits: a longer one is refused as too long anyway.
_LONGESTWHOLE = 1_000
# No spelling of a number that a float holds exactly is longer; a longer cell is not read.
_LONGEST_CELL = 400
# The characters that separate groups of three digits, by their mark: typesetting has several blanks and apostrophes.
_GROUPING = {"": "", ",": ",", ".": ".", " ": " \u00a0\u2009\u202f", "'": "'\u2019"}


class FloatLiteral(float):
    """A number with its text: the float of `9007199254740993.0` is equal to that of its neighbour."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        literal = super().__new__(cls, text)
        literal.text = text
        return literal

    def __repr__(self) -> str:
        return self.text

    @property
    def integer(self) -> int | None:
        """The integer that the text means exactly, or None; for finite numbers only."""
        try:
            exact = ExactDecimal(self.text)
        except InvalidOperation:
            # An exponent of more than 18 digits: its float is zero, and the number is not.
            return None
        if not exact:
            return 0
        whole = exact.to_integral_value()
        return int(whole) if whole == exact else None


class NumberFormat(BaseModel):
    """
    A spelling of numbers other than JSON's.

    Attributes:
        decimal: The decimal mark.
        thousands: The mark between groups of three digits; a blank means a no-break space too.
        percent: Whether every number has a percent sign, and is divided by 100.
        currency: The currency sign that numbers may have, before or after them.
        parentheses: Whether parentheses around a number make it negative.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    decimal: Decimal = "."
    thousands: Thousands = ""
    percent: bool = False
    currency: str = Field(default="", max_length=1)
    parentheses: bool = False

    @field_validator("currency")
    @classmethod
    def _is_a_currency_sign(cls, sign: str) -> str:
        if sign and not is_currency(sign):
            raise ValueError("expected a currency sign")
        return sign

    @model_validator(mode="after")
    def _marks_differ(self) -> "NumberFormat":
        if self.decimal == self.thousands:
            raise ValueError("the decimal mark cannot separate thousands as well")
        return self

    def read(self, cell: str, *, strict: bool = False, real: type[float] = float) -> int | float | None:
        """
        Return the number in a cell, or None if it is not written in this format.

        A number with a decimal point is read as JSON reads it where the point cannot separate thousands: `63.41` is
        unambiguous, and `1.234` is not.

        Args:
            cell: The cell; blanks around it are ignored.
            strict: Accept this format only, and no decimal point in a format with a decimal comma.
            real: The type of a number that is not written as a whole one.
        """
        text = cell.strip()
        if len(text) > _LONGEST_CELL:
            return None
        bare = self._bare(text)
        if bare is None:
            return None
        sign, digits = bare
        if self._pattern.fullmatch(digits):
            number = self._as_json(digits)
        elif strict or self.decimal == "." or not _CLEARLY_POINT.fullmatch(digits):
            return None
        else:
            number = digits
        return number_of(sign + number + ("e-2" if self.percent else ""), real)

    @property
    def words(self) -> str:
        """What differs from JSON, in words."""
        parts = [
            "a decimal comma" if self.decimal == "," else "",
            f"thousands separated by {self.thousands!r}" if self.thousands else "",
            "a percent sign, divided by 100" if self.percent else "",
            f"the currency sign {self.currency}" if self.currency else "",
            "parentheses for negative numbers" if self.parentheses else "",
        ]
        return " and ".join(filter(None, parts))

    def _bare(self, text: str) -> tuple[str, str] | None:
        """Return the sign of a number and its digits and marks, without currency, percent sign and parentheses."""
        is_negative = self.parentheses and text.startswith("(") and text.endswith(")")
        if is_negative:
            text = text[1:-1].strip()
        sign, text = _split_sign(text)
        if self.currency and text.startswith(self.currency):
            text = text[1:].lstrip()
        elif self.currency and text.endswith(self.currency):
            text = text[:-1].rstrip()
        if not sign:
            sign, text = _split_sign(text)
        if self.percent:
            if not text.endswith("%"):
                return None
            text = text[:-1].rstrip()
        if is_negative and sign:
            return None
        return "-" if is_negative else sign, text

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """The pattern of digits and marks; at most two alternatives are tried, each in one pass."""
        mark = re.escape(self.decimal)
        whole = "[0-9]++"
        if self.thousands:
            group = f"[{_GROUPING[self.thousands]}]"
            whole = f"(?:[1-9][0-9]{{0,2}}+(?:{group}[0-9]{{3}})++(?![0-9])|{whole})"
        exponent = "" if self.percent else "(?:[eE][+-]?[0-9]++)?+"
        return re.compile(f"(?:{whole}(?:{mark}[0-9]*+)?+|{mark}[0-9]++){exponent}")

    def _as_json(self, digits: str) -> str:
        for mark in _GROUPING[self.thousands]:
            digits = digits.replace(mark, "")
        return digits.replace(self.decimal, ".")


PLAIN = NumberFormat()
# One point, which cannot separate thousands.
_CLEARLY_POINT = re.compile(r"(?![1-9][0-9]{0,2}\.[0-9]{3}$)[0-9]++\.[0-9]++")


def is_currency(sign: str) -> bool:
    """Whether a character is a currency sign, such as $ or €."""
    return unicodedata.category(sign) == "Sc"


def number_of(text: str, real: type[float] = float) -> int | float | None:
    """Return the number of a text that is written about as in JSON (see NUMBER); None if it is not a number."""
    if not NUMBER.fullmatch(text):
        return None
    if not WHOLE.fullmatch(text):
        return real(text)
    digits = text.lstrip("+-0")[:_LONGESTWHOLE] or "0"
    return -int(digits) if text[0] == "-" else int(digits)


def _split_sign(text: str) -> tuple[str, str]:
    return (text[0], text[1:]) if text[:1] in {"+", "-"} else ("", text)
