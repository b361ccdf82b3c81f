"""All versions of all models, and the pointers to them; each change is one atomic replace."""

import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from artifacts import bundle
from artifacts.bundle import Bundle, Content
from artifacts.errors import ArtifactFormat, ArtifactMissing, NameInvalid
from artifacts.manifest import NAME, Manifest, check_name
from artifacts.settings import Engine

CHAMPION = "champion"
POINTERS = "aliases.json"
VERSION = re.compile(r"[1-9][0-9]{0,8}")
_STAGING = ".staging-"


class Pointers(BaseModel):
    """What `aliases.json` holds: the newest version number ever given, and where each alias points."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latest: int = 0
    aliases: dict[str, PositiveInt] = {}


class Store:
    """
    A folder of models: `<model>/<version>/` and `<model>/aliases.json`.

    Readers take no lock: a version appears by one rename and a pointer moves by one, so a reader sees
    the state before or the state after. Writers of one model take turns by a lock that dies with its holder.
    """

    def __init__(self, root: Path, *, engine: Engine = "auto") -> None:
        self.root = root
        self._engine = engine

    def models(self) -> list[str]:
        """The names of all models that have a version, sorted."""
        if not self.root.is_dir():
            return []
        # The name is asked first: a volume of its own has a lost+found that only root may look into.
        homes = (entry for entry in self.root.iterdir() if NAME.fullmatch(entry.name) and entry.is_dir())
        return sorted(home.name for home in homes if self._versions(home))

    def versions(self, model: str) -> list[int]:
        """
        All versions of a model, oldest first.

        Raises:
            ArtifactMissing: The store has no such model.
        """
        found = self._versions(self.root / check_name(model))
        if not found:
            raise ArtifactMissing(model)
        return found

    def aliases(self, model: str) -> dict[str, int]:
        """Where each alias of a model points."""
        return dict(self._pointers(model).aliases)

    def resolve(self, model: str, reference: str | int = CHAMPION) -> int:
        """
        The version that a number, a text of digits or an alias means.

        Raises:
            ArtifactMissing: The model has no such version or alias.
        """
        versions = self.versions(model)
        version = version_of(reference, self.aliases(model)) if isinstance(reference, str) else reference
        if version is None or version not in versions:
            raise ArtifactMissing(model, reference)
        return version

    def manifest(self, model: str, version: int) -> Manifest:
        """The manifest of one version, read but not verified."""
        return bundle.read_manifest(self._folder(model, version))

    def load(self, model: str, version: int) -> Bundle:
        """
        Verify and load one version.

        Raises:
            ArtifactError: See `artifacts.bundle.read`; or the folder holds another model or version.
        """
        loaded = bundle.read(self._folder(model, version), engine=self._engine)
        if (loaded.manifest.model, loaded.manifest.version) != (model, version):
            raise ArtifactFormat(
                f"the folder of {model} version {version} holds "
                f"{loaded.manifest.model} version {loaded.manifest.version}"
            )
        return loaded

    def publish(self, model: str, content: Content, *, promote: bool) -> Manifest:
        """
        Add a version, whole or not at all, and point the champion at it if asked.

        Killed anywhere, this leaves the former state, or the new version whole with the former champion.

        Raises:
            ArtifactError: What was written could not be loaded again; see `artifacts.bundle.read`.
        """
        home = self.root / check_name(model)
        home.mkdir(parents=True, exist_ok=True)
        bundle.sync_folder(self.root)
        with self._turn(home), self._staging(home) as staging:
            pointers = self._pointers(model)
            version = max([pointers.latest, *self._versions(home)]) + 1
            manifest = bundle.write(staging, content, model=model, version=version)
            bundle.read(staging)
            if content.programs is not None:
                # A server may be told to ask the estimator itself.
                bundle.read(staging, engine="sklearn")
            staging.rename(home / str(version))
            bundle.sync_folder(home)
            aliases = {**pointers.aliases, CHAMPION: version} if promote else pointers.aliases
            self._point(home, Pointers(latest=version, aliases=aliases))
        return manifest

    def promote(self, model: str, version: int, *, alias: str = CHAMPION) -> None:
        """
        Point an alias at a version.

        Raises:
            ArtifactMissing: The model has no such version.
            NameInvalid: The alias is no name, or would pass for a version.
        """
        home = self.root / check_name(model)
        version = self.resolve(model, version)
        if alias.isdigit():
            raise NameInvalid(alias)
        with self._turn(home):
            pointers = self._pointers(model)
            aliases = {**pointers.aliases, check_name(alias): version}
            self._point(home, pointers.model_copy(update={"aliases": aliases}))

    def _folder(self, model: str, version: int) -> Path:
        return self.root / check_name(model) / str(int(version))

    def _versions(self, home: Path) -> list[int]:
        if not home.is_dir():
            return []
        names = (entry.name for entry in home.iterdir() if entry.is_dir())
        return sorted(int(name) for name in names if VERSION.fullmatch(name))

    def _pointers(self, model: str) -> Pointers:
        try:
            with bundle.handed_out():
                return Pointers.model_validate_json((self.root / check_name(model) / POINTERS).read_bytes())
        except FileNotFoundError:
            return Pointers()
        except (ValidationError, IsADirectoryError) as error:
            raise ArtifactFormat(f"{POINTERS} of model {model} cannot be read") from error

    def _point(self, home: Path, pointers: Pointers) -> None:
        beside = home / f".{POINTERS}"
        bundle.write_synced(beside, json.dumps(pointers.model_dump(), indent=2).encode())
        beside.replace(home / POINTERS)
        bundle.sync_folder(home)

    @contextmanager
    def _staging(self, home: Path) -> Iterator[Path]:
        """A folder beside, gone afterwards unless it was renamed; what others were killed over goes as well."""
        for abandoned in home.glob(f"{_STAGING}*"):
            shutil.rmtree(abandoned)
        staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=home))
        staging.chmod(0o755)
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    @contextmanager
    def _turn(self, home: Path) -> Iterator[None]:
        descriptor = os.open(home / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def version_of(reference: str, aliases: Mapping[str, int]) -> int | None:
    """The version that a text means: an alias, or a version's number; None if it is neither."""
    if reference in aliases:
        return aliases[reference]
    return int(reference) if VERSION.fullmatch(reference) else None
