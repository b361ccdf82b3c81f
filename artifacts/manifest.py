"""What a model promises: everything about one version that is known without unpickling it."""

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
from artifacts.errors import ArtifactFormat, ArtifactSchema, NameInvalid, shown
from artifacts.signature import Signature

# The format of manifest.json. To bump it:
#   1. raise FORMAT, and describe the change in docs/artifacts.md under "Formats";
#   2. in `parse`, lift a document of the former format to the new one before it is validated;
#   3. put a bundle of the former format into tests/formats/, where a test loads every one of them.
# A field that has a default needs no bump: older manifests lack it, and that is what the default means.
FORMAT = 2

_MESSAGE = 200
_OF_A_SAMPLE = ", fitted elsewhere; the rows here are a sample, "
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

ClassValue: TypeAlias = StrictBool | StrictInt | StrictStr
Prediction: TypeAlias = StrictBool | StrictInt | StrictFloat | StrictStr
Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(_Frozen):
    """One line of the label map: what the estimator says, and what the caller is told."""

    value: ClassValue = Field(alias="class")
    label: ClassValue


class Distribution(_Frozen):
    """
    How a column was spread when the model was trained; `nulls` are counted apart.

    Of numbers, and of the lengths of a text, `counts` has one entry more than `edges`: bin i holds the values v
    with edges[i-1] < v <= edges[i], the first and the last bin are open. Of a category there are no edges, and
    `counts` follow its values in the column; of a boolean they are false and true.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    nulls: int


class Examples(_Frozen):
    """A few rows and what the model answered for them when it was published."""

    instances: tuple[tuple[Scalar, ...], ...]
    predictions: tuple[Prediction, ...]
    probabilities: tuple[tuple[float, ...], ...] | None


class Training(_Frozen):
    """
    What a model learned from: how many rows, how many others judged it, where they came from, what was asked.

    Where the columns were drawn from a sample, `rows` are those of the sample, see `Promise.is_sampled`.
    """

    rows: NonNegativeInt
    held_back: NonNegativeInt = 0
    source: str = ""
    target: str = ""


class Candidate(_Frozen):
    """
    One way to execute a model, tried when it was published.

    Attributes:
        name: `sklearn` is the estimator itself; `numpy`, `trees` and `treelite` are programs made of it.
        refused: Why it was not admitted; empty where it was.
        rows: How many rows both were asked.
        disagreements: How many of them got another answer than from the estimator.
        largest_difference: How far two numbers were apart at most; beyond 1, in parts of their size.
        microseconds: Of one call with so many rows; a size that would have taken too long is left out.
    """

    name: str
    refused: str = ""
    rows: NonNegativeInt = 0
    disagreements: NonNegativeInt = 0
    largest_difference: FiniteFloat = 0.0
    microseconds: dict[PositiveInt, FiniteFloat] = {}


class Execution(_Frozen):
    """How a model is executed: what was tried, and what was chosen for how many rows."""

    candidates: tuple[Candidate, ...]
    choice: Annotated[dict[PositiveInt, str], Field(min_length=1)]


def limit(low: int, high: int) -> int:
    """From how many rows on what was measured with the greater number counts: half-way, as ratios are."""
    return math.isqrt(low * high) + 1


class Promise(_Frozen):
    """
    What is known of a model before it has a version.

    Attributes:
        warnings: What its publisher should look at.
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
        """Whether what is known of its columns is known from a sample, and how many rows it learned from is not."""
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
    """One published version: what it promises, and the sha256 and the size of every file beside the manifest."""

    files: dict[str, Sha256]
    sizes: dict[str, NonNegativeInt] = {}

    @cached_property
    def publication(self) -> Publication | None:
        """How it was published; None where the manifest was read from a store."""
        return None

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        """Yield what a notebook shows of it: all columns and digests are thousands of characters."""
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
        ArtifactSchema: The columns that it describes are none.
    """
    try:
        read = json.loads(document)
        stated = read["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtifactFormat("manifest.json is not a manifest: it states no format") from error
    if type(stated) is not int or not 1 <= stated <= FORMAT:
        raise ArtifactFormat(f"manifest.json has format {shown(repr(stated))}, and this code reads 1 to {FORMAT}")
    try:
        # What format 2 brought has defaults that are true of format 1.
        manifest = Manifest.model_validate_json(json.dumps({**read, "format": FORMAT}))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raised = ArtifactSchema if first["loc"][:1] == ("signature",) else ArtifactFormat
        raise raised(
            f"manifest.json does not hold what it must: {shown(where)}: {shown(first['msg'], longest=_MESSAGE)}"
        ) from error
    # Before columns said so, the command line said it in the source.
    is_sampled = manifest.training is not None and _OF_A_SAMPLE in manifest.training.source
    return _sampled(manifest) if is_sampled and not manifest.is_sampled else manifest


def _sampled(manifest: Manifest) -> Manifest:
    """The manifest, its columns known from a sample."""
    columns = tuple(column.model_copy(update={"sampled": True}) for column in manifest.signature.columns)
    return manifest.model_copy(update={"signature": manifest.signature.model_copy(update={"columns": columns})})
