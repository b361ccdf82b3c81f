"""The manifest of a version: everything about it that is known without unpickling it."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)

from artifacts.columns import Scalar
from artifacts.errors import ArtifactFormat, ArtifactSchema, NameInvalid
from artifacts.signature import Signature
from artifacts.text import shorten

# The format of manifest.json. To bump it:
#   1. raise FORMAT, and describe the change in docs/artifacts.md under "Formats";
#   2. in `parse`, convert a document of the former format to the new one before it is validated;
#   3. put a bundle of the former format into tests/formats/, where a test loads every one of them.
# A field with a default needs no bump: the default is what is true of older manifests, which lack the field.
FORMAT = 2

_MESSAGE = 200
_SAMPLE_MARK = ", fitted elsewhere; the rows here are a sample, "
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

ClassValue: TypeAlias = StrictBool | StrictInt | StrictStr
Prediction: TypeAlias = StrictBool | StrictInt | StrictFloat | StrictStr
Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(_Frozen):
    """One line of the label map: a class of the estimator, and the label that callers get."""

    value: ClassValue = Field(alias="class")
    label: ClassValue


class Distribution(_Frozen):
    """
    The distribution of a column in the training rows; `nulls` are counted separately.

    For numbers, and for the lengths of texts, `counts` has one entry more than `edges`: bin i has the values v with
    edges[i-1] < v <= edges[i]; the first and the last bin are open. A category has no edges, and its `counts` are in
    the order of the column's categories; those of a boolean are false and true.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    nulls: int


class Examples(_Frozen):
    """A few rows and the predictions for them at publication."""

    instances: tuple[tuple[Scalar, ...], ...]
    predictions: tuple[Prediction, ...]
    probabilities: tuple[tuple[float, ...], ...] | None


class Training(_Frozen):
    """
    The training data: the number of rows, the number of held-back rows, their source, and the target.

    If the columns were described by a sample, `rows` are those of the sample, see `Promise.is_sampled`.
    """

    rows: NonNegativeInt
    held_back: NonNegativeInt = 0
    source: str = ""
    target: str = ""


class Candidate(_Frozen):
    """
    One way to execute a model that was tried at publication.

    Attributes:
        name: `sklearn` is the estimator itself; `numpy`, `trees` and `treelite` are programs made of it.
        refused: Why it was refused; empty if it was accepted.
        rows: How many rows its predictions were compared with the estimator's for.
        disagreements: How many of these predictions differed.
        largest_difference: The largest difference of two numbers; relative for numbers beyond 1.
        microseconds: Duration of a call per number of rows; sizes that would have taken too long are missing.
    """

    name: str
    refused: str = ""
    rows: NonNegativeInt = 0
    disagreements: NonNegativeInt = 0
    largest_difference: FiniteFloat = 0.0
    microseconds: dict[PositiveInt, FiniteFloat] = {}


class Execution(_Frozen):
    """How a model is executed: what was tried, and what was chosen per number of rows."""

    candidates: tuple[Candidate, ...]
    choice: Annotated[dict[PositiveInt, str], Field(min_length=1)]


def limit(low: int, high: int) -> int:
    """Return from how many rows on the choice for `high` rows applies: the geometric mean of both sizes."""
    return math.isqrt(low * high) + 1


class Promise(_Frozen):
    """
    What is known of a model before it has a version.

    Attributes:
        warnings: What was shown to its publisher.
        deadline_s: How long a prediction may take or wait; None: as long as the server allows.
        cache: Whether a server may cache its predictions.
    """

    task: Literal["classification", "regression"]
    estimator: str
    signature: Signature
    classes: tuple[ClassValue, ...]
    tolerance: Annotated[FiniteFloat, Field(ge=0)]
    scores: dict[str, FiniteFloat]
    libraries: dict[str, str]
    requires: tuple[str, ...]
    code: tuple[str, ...] = ()
    examples: Examples
    reference: dict[str, Distribution]
    training: Training | None = None
    execution: Execution | None = None
    warnings: tuple[str, ...] = ()
    deadline_s: Annotated[FiniteFloat, Field(gt=0)] | None = None
    cache: StrictBool = True

    @property
    def is_sampled(self) -> bool:
        """Whether its columns were described by a sample; then the number of training rows is unknown."""
        return any(column.sampled for column in self.signature.columns)

    @model_validator(mode="after")
    def _classes_are_of_a_classifier(self) -> Self:
        if bool(self.classes) != (self.task == "classification"):
            raise ValueError("a classifier has classes, and a regressor has none")
        return self


class _Identity(_Frozen):
    format: Literal[2] = 2
    model: str
    version: PositiveInt
    created_at: AwareDatetime


@dataclass(frozen=True, slots=True)
class Publication:
    """
    How a version was published: facts for the publisher that are not stored with the version.

    Attributes:
        store: Folder of the store.
        key: The id of the key that signed the version.
        promoted: Whether the version became the champion.
        live: How the version goes live, or what to do so that it does.
        warnings: What the publisher should look at.
    """

    store: Path
    key: str
    promoted: bool
    live: str
    warnings: tuple[str, ...] = ()


class Manifest(Promise, _Identity):
    """One published version: its promise, and the sha256 and the size of every other file."""

    files: dict[str, Sha256]
    sizes: dict[str, NonNegativeInt] = {}

    @cached_property
    def publication(self) -> Publication | None:
        """How it was published; None if the manifest was read from a store."""
        return None

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        """Yield what a notebook shows; all columns and digests would be thousands of characters."""
        yield from (("model", self.model), ("version", self.version), ("task", self.task))
        yield "columns", len(self.signature.columns)
        if self.classes:
            yield "classes", len(self.classes)
        if self.publication:
            yield "store", str(self.publication.store)

    def with_publication(self, publication: Publication) -> Self:
        """Return the same manifest with these facts; they are no field, so they are neither stored nor compared."""
        manifest = self.model_copy()
        manifest.__dict__["publication"] = publication
        return manifest


def check_name(name: str) -> str:
    """
    Return the name of a model or an alias if it is valid.

    Raises:
        NameInvalid: It is invalid, and must not be used in a path.
    """
    if NAME.fullmatch(name) is None:
        raise NameInvalid(name)
    return name


def parse(document: bytes) -> Manifest:
    """
    Parse a manifest.

    Raises:
        ArtifactFormat: It is invalid, or of a format that this code does not know.
        ArtifactSchema: Its columns are invalid.
    """
    try:
        read = json.loads(document)
        stated = read["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtifactFormat("manifest.json is not a manifest: it has no format") from error
    if type(stated) is not int or not 1 <= stated <= FORMAT:
        raise ArtifactFormat(f"manifest.json has format {shorten(repr(stated))}; this code reads 1 to {FORMAT}")
    try:
        # The fields that format 2 added have defaults that are true of format 1.
        manifest = Manifest.model_validate_json(json.dumps({**read, "format": FORMAT}))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raised = ArtifactSchema if first["loc"][:1] == ("signature",) else ArtifactFormat
        raise raised(
            f"manifest.json is invalid: {shorten(where)}: {shorten(first['msg'], longest=_MESSAGE)}"
        ) from error
    # Early releases recorded a sample in the source only.
    is_sampled = manifest.training is not None and _SAMPLE_MARK in manifest.training.source
    return _mark_as_sampled(manifest) if is_sampled and not manifest.is_sampled else manifest


def _mark_as_sampled(manifest: Manifest) -> Manifest:
    """Return the manifest with its columns marked as described by a sample."""
    columns = [column.model_copy(update={"sampled": True}) for column in manifest.signature.columns]
    return manifest.model_copy(update={"signature": manifest.signature.with_columns(columns)})
