"""
What can be wrong with an artifact, in the words of the domain.

    ArtifactError
    ├── NameInvalid             a model, version or alias that no store can hold
    ├── ArtifactMissing         the store has no such model, version or alias
    ├── ArtifactFormat          the manifest cannot be read, or is newer than this code
    ├── ArtifactUnreadable      the file system does not hand it out
    ├── ArtifactIncomplete      a listed file is missing, or an unlisted one is there
    ├── ArtifactDigest          a file's bytes are not the ones that were published
    ├── ArtifactUnloadable      the bytes are right, but no model comes out of them
    └── ArtifactSelfTest        the model loads, but no longer gives its own examples' answers
"""

from collections.abc import Iterable


class ArtifactError(Exception):
    """Something is wrong with an artifact or its name."""


class NameInvalid(ArtifactError):
    """A name that no store can hold."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is not a name: lower-case letters, digits, '.', '_' and '-', at most 64, "
            "the first a letter or a digit; an alias is not a number"
        )
        self.name = name


class ArtifactMissing(ArtifactError):
    """The store has no such model, version or alias."""

    def __init__(self, model: str, reference: str | int | None = None) -> None:
        what = f"model {model!r}" if reference is None else f"version or alias {reference!r} of model {model!r}"
        super().__init__(f"the store has no {what}")
        self.model = model
        self.reference = reference


class ArtifactFormat(ArtifactError):
    """The manifest cannot be read, or is of a format that this code does not know."""


class ArtifactUnreadable(ArtifactError):
    """The file system does not hand out what is there."""


class ArtifactIncomplete(ArtifactError):
    """The folder does not hold exactly the files that its manifest lists."""

    def __init__(self, *, missing: Iterable[str] = (), unlisted: Iterable[str] = ()) -> None:
        self.missing = sorted(missing)
        self.unlisted = sorted(unlisted)
        parts = [f"missing: {', '.join(self.missing)}"] if self.missing else []
        parts += [f"not listed: {', '.join(self.unlisted)}"] if self.unlisted else []
        super().__init__("; ".join(parts))


class ArtifactDigest(ArtifactError):
    """A file's bytes are not the ones that were published."""

    def __init__(self, file: str) -> None:
        super().__init__(f"{file} was changed after it was published: its sha256 is not the manifest's")
        self.file = file


class ArtifactUnloadable(ArtifactError):
    """The bytes are the published ones, but no model comes out of them."""


class ArtifactSelfTest(ArtifactError):
    """The model no longer answers its own examples as it did when it was published."""
