"""Commands to copy that call a model; names of columns and values are quoted for the shell."""

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
    Commands that predict one row.

    Attributes:
        csv: None if the values cannot be written in a shell command.
        answer: The prediction that is returned, in words.
    """

    curl: str
    python: str
    csv: str | None
    answer: str

    @classmethod
    def of(cls, manifest: Manifest) -> Self | None:
        """Return the commands for the example of the manifest; None if it has none."""
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
    predicted = example.prediction
    if example.probability is not None:
        return f"{name(predicted)}, with a probability of {example.probability:.3f}"
    return number(predicted) if isinstance(predicted, float) else name(predicted)
