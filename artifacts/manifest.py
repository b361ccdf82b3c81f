"""What a model promises: everything about one version that is known without unpickling it."""

import json
import re
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    PositiveInt,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
)

from artifacts.columns import Scalar, Signature
from artifacts.errors import ArtifactFormat, NameInvalid

# The format of manifest.json. To bump it:
#   1. raise FORMAT, and describe the change in docs/artifacts.md under "Formats";
#   2. in `parse`, lift a document of the former format to the new one before it is validated;
#   3. put a bundle of the former format into tests/formats/, where a test loads every one of them.
# A field that has a default needs no bump: older manifests lack it, and that is what the default means.
FORMAT = 1

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

ClassValue: TypeAlias = StrictBool | StrictInt | StrictStr
Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(_Frozen):
    """One line of the label map: what the estimator says, and what the caller is told."""

    value: ClassValue = Field(alias="class")
    label: ClassValue


class Distribution(_Frozen):
    """
    How a column was spread when the model was trained.

    `counts` has one entry more than `edges`: bin i holds the values v with edges[i-1] < v <= edges[i],
    the first and the last bin are open. `nulls` are counted apart.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    nulls: int


class Examples(_Frozen):
    """A few rows and what the model answered for them when it was published."""

    instances: tuple[tuple[Scalar, ...], ...]
    predictions: tuple[ClassValue, ...]
    probabilities: tuple[tuple[float, ...], ...] | None


class Promise(_Frozen):
    """What is known of a model before it has a version."""

    task: Literal["classification"]
    estimator: str
    signature: Signature
    classes: tuple[ClassValue, ...]
    tolerance: Annotated[FiniteFloat, Field(ge=0)]
    scores: dict[str, FiniteFloat]
    libraries: dict[str, str]
    requires: tuple[str, ...]
    examples: Examples
    reference: dict[str, Distribution]


class _Identity(_Frozen):
    format: Literal[1] = 1
    model: str
    version: PositiveInt
    created_at: AwareDatetime


class Manifest(Promise, _Identity):
    """One published version: what it promises, and the sha256 of every file beside the manifest."""

    files: dict[str, Sha256]


def check_name(name: str) -> str:
    """
    Give back a model's or an alias's name.

    Raises:
        NameInvalid: It is not one; nothing of it may reach the file system.
    """
    if NAME.fullmatch(name) is None:
        raise NameInvalid(name)
    return name


def parse(document: bytes) -> Manifest:
    """
    Read a manifest.

    Raises:
        ArtifactFormat: It is no manifest, or one of a format that this code does not know.
    """
    try:
        stated = json.loads(document)["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtifactFormat("manifest.json is not a manifest: it states no format") from error
    if stated != FORMAT:
        raise ArtifactFormat(f"manifest.json has format {stated!r}, and this code reads {FORMAT}")
    try:
        return Manifest.model_validate_json(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ArtifactFormat(f"manifest.json does not hold what it must: {where}: {first['msg']}") from error
