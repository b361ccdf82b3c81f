"""How to ask a model, to be pasted; whatever a column or a value is called, it stays data to the shell."""

import csv
import io
import json
import shlex
from dataclasses import dataclass
from typing import Self

from artifacts.columns import Scalar
from artifacts.description import API, Example, curl, example_of, name, number
from artifacts.manifest import Manifest

_PYTHON = """\
import json
import os
from urllib.request import Request, urlopen

rows = [{row!r}]
request = Request(
    "{api}/models/{model}/predict",
    json.dumps({{"instances": rows}}).encode(),
    {{"Authorization": f"Bearer {{os.environ['TOKEN']}}", "Content-Type": "application/json"}},
)
with urlopen(request) as answer:
    print(json.load(answer)["predictions"])"""

LOGIN = f"""\
export TOKEN=$(curl -s {API}/token -d username=ada --data-urlencode "password=$PASSWORD" \\
  | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')"""


@dataclass(frozen=True, slots=True)
class Snippets:
    """
    Commands that ask for one row.

    Attributes:
        csv: None where no shell could be handed such a file.
        answer: What comes back, in words.
    """

    curl: str
    python: str
    csv: str | None
    answer: str

    @classmethod
    def of(cls, manifest: Manifest) -> Self | None:
        """For the example that is shown; None where there is none."""
        example = example_of(manifest)
        if example is None:
            return None
        python = _PYTHON.format(row=example.instance, api=API, model=manifest.model)
        return cls(curl(manifest, example), python, _csv(manifest, example), _answer(example))


def _csv(manifest: Manifest, example: Example) -> str | None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows((example.row.keys(), map(_cell, example.row.values())))
    table = text.getvalue().removesuffix("\n")
    if not table.replace("\n", "").isprintable():
        return None
    return (
        f"printf '%s\\n' {shlex.quote(table)} > rows.csv\n"
        f"curl -s {API}/models/{manifest.model}/predict/csv \\\n"
        '  -H "Authorization: Bearer $TOKEN" -F file=@rows.csv'
    )


def _cell(value: Scalar) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _answer(example: Example) -> str:
    told = example.prediction
    if example.probability is not None:
        return f"{name(told)}, with a probability of {example.probability:.3f}"
    return number(told) if isinstance(told, float) else name(told)
