"""Read a store: which versions there are, where aliases point, and one version loaded and verified."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from artifacts import bundle, history, version_folder
from artifacts.bundle import Bundle
from artifacts.errors import ArtifactError, ArtifactMissing, ArtifactUnloadable, is_ctrl_c
from artifacts.folders import Folder, artifact_errors
from artifacts.history import Event
from artifacts.keys import Keys
from artifacts.manifest import NAME, Manifest, check_name
from artifacts.pointers import CHAMPION, VERSION, read_pointers, version_of
from artifacts.settings import ArtifactSettings, Engine, Policy
from artifacts.signing import PublicKey
from artifacts.text import class_name
from artifacts.trial import TrialRequest, TrialResult, Trials, shared
from artifacts.version_folder import Identity


class StoreReader:
    """
    A folder of models: `<model>/<version>/` and `<model>/aliases.json`.

    Readers take no lock: a version appears by one rename and a pointer moves by one, so a reader sees
    the state before or the state after.
    """

    def __init__(
        self,
        root: Path,
        *,
        keys: Keys | None = None,
        engine: Engine = "auto",
        versions: Policy = "refuse",
        trials: Trials | None = None,
    ) -> None:
        """
        Set the folder and how versions are loaded.

        Args:
            root: The store's folder; one that does not exist is an empty store.
            keys: The keys that are trusted, and the one that signs; by default those of SEPAL_TRUSTED_KEYS and
                SEPAL_SIGNING_KEY.
            engine: What executes a model, see `bundle.load`.
            versions: Whether a version that was fitted with incompatible libraries is refused.
            trials: Loads each version in a child process first; by default those of this process.
        """
        self.root = root
        self._keys = Keys.of(ArtifactSettings()) if keys is None else keys
        self._engine: Engine = engine
        self._policy: Policy = versions
        self._trials = trials

    @classmethod
    def of(cls, settings: ArtifactSettings, *, root: Path | None = None, trials: Trials | None = None) -> Self:
        """Return the store that the settings name."""
        return cls(
            root or settings.artifacts,
            keys=Keys.of(settings),
            versions=settings.versions,
            trials=trials,
        )

    @property
    def exists(self) -> bool:
        """Whether its folder exists: that of a volume may be missing for a while."""
        with artifact_errors(self.root.name):
            return self.root.is_dir()

    def models(self) -> list[str]:
        """Return the names of all models that have a version, or cannot be read; sorted."""
        try:
            with Folder.at(self.root) as root:
                # Names first: the lost+found of a volume can be read by root only.
                homes = sorted(name for name in root.folders() if NAME.fullmatch(name))
        except FileNotFoundError:
            return []
        return [name for name in homes if self._is_model(name)]

    def versions(self, model: str) -> list[int]:
        """
        Return all versions of a model, oldest first.

        Raises:
            ArtifactMissing: The store has no such model.
        """
        found = self._versions(model)
        if not found:
            raise ArtifactMissing(model)
        return found

    def aliases(self, model: str) -> dict[str, int]:
        """Return the version that each alias of a model points to."""
        try:
            with self._home(model) as home:
                return dict(read_pointers(home, model).aliases)
        except FileNotFoundError:
            return {}

    def resolve(self, model: str, reference: str | int = CHAMPION) -> int:
        """
        Return the version that a number, a text of digits or an alias means.

        Raises:
            ArtifactMissing: The model has no such version or alias.
        """
        versions = self.versions(model)
        version = version_of(reference, self.aliases(model)) if isinstance(reference, str) else reference
        if version is None or version not in versions:
            raise ArtifactMissing(model, reference)
        return version

    def manifest(self, model: str, version: int) -> Manifest:
        """Return the manifest of a version without verifying its signature: only for display."""
        with self._folder(model, version) as folder:
            return version_folder.read_manifest(folder, Identity(model, version))

    def verified_manifest(self, model: str, version: int) -> tuple[Manifest, str]:
        """
        Return the manifest of a version, and the id of the trusted key that signed it.

        Raises:
            ArtifactError: No trusted key signed it, or it is invalid.
        """
        with self._folder(model, version) as folder:
            of = Identity(model, version)
            manifest, key = version_folder.verified_manifest(folder, of, trusted=self._keys.trusted)
        return manifest, key.id

    def load(self, model: str, version: int) -> Bundle:
        """
        Verify one version, load it in a child process, and then here.

        Raises:
            ArtifactError: See `bundle.load`.
        """
        of, trusted = Identity(model, version), self._keys.trusted
        with self._folder(model, version) as folder:
            try:
                return bundle.load(
                    folder,
                    of,
                    trusted=trusted,
                    engine=self._engine,
                    versions=self._policy,
                    trial=lambda manifest: self._try(of, str(version), manifest, trusted, self._engine),
                )
            except ArtifactError:
                raise
            except BaseException as error:
                if is_ctrl_c(error):
                    raise
                # A signed version may be broken in unforeseen ways; callers handle one kind of error.
                raise ArtifactUnloadable(f"it cannot be loaded: {class_name(error)}") from error

    def check(self, model: str, version: int) -> TrialResult:
        """
        Load one version in a child process, and not here.

        Raises:
            ArtifactError: A server with these settings would not load it; see `bundle.load`.
        """
        of, trusted = Identity(model, version), self._keys.trusted
        with self._folder(model, version) as folder:
            manifest, _ = version_folder.verified_manifest(folder, of, trusted=trusted)
        return self._try(of, str(version), manifest, trusted, self._engine)

    def history(self, model: str) -> list[Event | None]:
        """Return what was done to a model, oldest first; None for a line that a crash cut short."""
        self.versions(model)
        with self._home(model) as home:
            return list(history.read(home))

    def former_champions(self, model: str) -> list[int]:
        """Return versions that were champion before the present one, by the model's history, the latest first."""
        champion = self.aliases(model).get(CHAMPION)
        if champion is None:
            return []
        known = self.versions(model)
        former = history.champions_before(self.history(model), champion, alias=CHAMPION)
        return [version for version in former if version in known]

    def _try(
        self, of: Identity, folder: str, manifest: Manifest, trusted: Sequence[PublicKey], engine: Engine
    ) -> TrialResult:
        request = TrialRequest(
            root=str(self.root.resolve()),
            model=of.model,
            folder=folder,
            version=of.version,
            trusted=tuple(key.text for key in trusted),
            engine=engine,
            versions=self._policy,
            digest=hashlib.sha256(manifest.model_dump_json().encode()).hexdigest(),
            size=sum(manifest.sizes.values()),
        )
        return (self._trials or shared()).check(request)

    @contextmanager
    def _home(self, model: str) -> Iterator[Folder]:
        """
        Open the folder of a model.

        Raises:
            FileNotFoundError: There is none.
            ArtifactPath: It is a link.
        """
        name = check_name(model)
        with Folder.at(self.root) as root, root.enter(name) as home:
            yield home

    @contextmanager
    def _folder(self, model: str, version: int) -> Iterator[Folder]:
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(stack.enter_context(self._home(model)).enter(str(int(version))))
            except FileNotFoundError as error:
                raise ArtifactMissing(model, version) from error
            yield folder

    def _is_model(self, name: str) -> bool:
        try:
            return bool(self._versions(name))
        except ArtifactError:
            # It is listed; reading it raises the error.
            return True

    def _versions(self, model: str) -> list[int]:
        try:
            with self._home(model) as home:
                return sorted(int(name) for name in home.folders() if VERSION.fullmatch(name))
        except FileNotFoundError:
            return []
