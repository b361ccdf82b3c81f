"""How the text of a setting becomes a list, a mapping, a rate or a size."""

import json
import re
from functools import partial
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field
from pydantic_settings import NoDecode

from artifacts.settings import Expected

# Not parsed by `limits`, which takes 100 ms to import: the command line does not need it.
_RATE = r"[1-9][0-9]{0,11} ?/ ?([1-9][0-9]{0,5} ?)?(second|minute|hour|day)s?"
RateName: TypeAlias = Literal["predict", "batch", "read", "change", "login", "rows"]
DEFAULT_RATES: dict[RateName, str] = {
    "predict": "1000000/minute",
    "batch": "600/minute",
    "read": "6000/minute",
    "change": "60/minute",
    "login": "60/minute",
    "rows": "off",
}


def _parsed(value: Any, *, is_mapping: bool = False) -> Any:
    """Read JSON, or items separated by commas; those of a mapping are `name=value`."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith(("[", "{")):
        return json.loads(value)
    items = [item.strip() for item in value.split(",") if item.strip()]
    if not is_mapping:
        return items
    return {name.strip(): text.strip() for name, text in (item.split("=", 1) for item in items)}


def _checked(rate: str, *, can_be_off: bool = True) -> str:
    if not (can_be_off and rate == "off") and re.fullmatch(_RATE, rate) is None:
        raise ValueError("not a rate")
    return rate


# Their order matters: `NoDecode` keeps pydantic from reading the text as JSON, the parser reads it instead.
ListFormat = (NoDecode, BeforeValidator(_parsed))
MappingFormat = (NoDecode, BeforeValidator(partial(_parsed, is_mapping=True)))

Size: TypeAlias = Annotated[ByteSize, Field(gt=0), Expected("a size", "64MiB")]
Rates: TypeAlias = Annotated[
    dict[RateName, Annotated[str, AfterValidator(_checked)]],
    *MappingFormat,
    AfterValidator(lambda given: {**DEFAULT_RATES, **given}),
    Expected(
        "name=rate pairs, the names of predict, batch, read, change, login, rows, a rate N/second, N/minute, N/hour, "
        "N/day, N/15minutes or off",
        "predict=6000/minute,rows=off",
    ),
]
Lockout: TypeAlias = Annotated[
    str,
    AfterValidator(partial(_checked, can_be_off=False)),
    Expected("failed logins and the time that they are counted for", "5/15minutes"),
]
