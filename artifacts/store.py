"""All versions of all models, and the pointers to them; each change is one atomic replace."""

import hashlib
import json
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from artifacts import bundle, history
from artifacts.bundle import Bundle, Content, Identity
from artifacts.errors import (
    ArtifactError,
    ArtifactFormat,
    ArtifactInUse,
    ArtifactMissing,
    ArtifactPath,
    ArtifactUnloadable,
    ArtifactUntrusted,
    NameInvalid,
    is_ctrl_c,
    kind_of,
)
from artifacts.files import Folder, TooLarge, handed_out
from artifacts.history import Event, Move
from artifacts.keys import Keys
from artifacts.manifest import NAME, Manifest, Publication, check_name
from artifacts.settings import ArtifactSettings, Engine, Policy
from artifacts.signing import PublicKey, Signer
from artifacts.trial import Candidate, Checked, Trials, shared

CHAMPION = "champion"
POINTERS = "aliases.json"
VERSION = re.compile(r"[1-9][0-9]{0,8}")
_NEWEST = 10**9 - 1
_STAGING = ".staging-"
_LARGEST_POINTERS = 2**20


Pointer: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=_NEWEST)]
Name: TypeAlias = Annotated[str, Field(pattern=f"^{NAME.pattern}$")]


class Pointers(BaseModel):
    """What `aliases.json` holds: the newest version number ever given, and where each alias points."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latest: Annotated[int, Field(strict=True, ge=0, le=_NEWEST)] = 0
    aliases: dict[Name, Pointer] = {}

    def move_of(self, alias: str, version: int) -> Move:
        """What it is that an alias is pointed at a version."""
        return Move(alias, self.aliases.get(alias), version)


class Store:
    """
    A folder of models: `<model>/<version>/` and `<model>/aliases.json`.

    Readers take no lock: a version appears by one rename and a pointer moves by one, so a reader sees
    the state before or the state after. Writers of one model take turns by a lock that dies with its holder.
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
        Say where it is.

        Args:
            root: Its folder; one that is not there is an empty store.
            keys: Whose versions are loaded, and what signs; by default those that SEPAL_TRUSTED_KEYS and
                SEPAL_SIGNING_KEY name.
            engine: What answers, see `bundle.read`.
            versions: What becomes of a version that other libraries fitted.
            trials: Where a version is loaded first; by default a child process that lasts as long as it has work.
        """
        self.root = root
        self._keys = Keys.of(ArtifactSettings()) if keys is None else keys
        self._engine: Engine = engine
        self._policy: Policy = versions
        self._trials = trials

    @classmethod
    def of(cls, settings: ArtifactSettings, *, root: Path | None = None, trials: Trials | None = None) -> Self:
        """The one that the settings name."""
        return cls(
            root or settings.artifacts,
            keys=Keys.of(settings),
            versions=settings.versions,
            trials=trials,
        )

    @property
    def exists(self) -> bool:
        """Whether its folder is there: that of a volume may be away for a while."""
        with handed_out(self.root.name):
            return self.root.is_dir()

    def models(self) -> list[str]:
        """The names of all models that have a version, or cannot be looked into; sorted."""
        try:
            with Folder.at(self.root) as root:
                # The name is asked first: a volume of its own has a lost+found that only root may look into.
                homes = sorted(name for name in root.folders() if NAME.fullmatch(name))
        except FileNotFoundError:
            return []
        return [name for name in homes if self._is_model(name)]

    def versions(self, model: str) -> list[int]:
        """
        All versions of a model, oldest first.

        Raises:
            ArtifactMissing: The store has no such model.
        """
        found = self._versions(model)
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
        """What the manifest of one version says, whoever wrote it: for people to look at."""
        with self._folder(model, version) as folder:
            return bundle.read_manifest(folder, Identity(model, version))

    def verified_manifest(self, model: str, version: int) -> tuple[Manifest, str]:
        """
        The manifest of one version, and the id of the trusted key that signed it.

        Raises:
            ArtifactError: Nobody who is trusted signed it, or it is none.
        """
        with self._folder(model, version) as folder:
            manifest, key = bundle.verified_manifest(folder, Identity(model, version), trusted=self._keys.trusted)
        return manifest, key.id

    def load(self, model: str, version: int) -> Bundle:
        """
        Verify one version, load it in a child process, and then here.

        Raises:
            ArtifactError: See `artifacts.bundle.read`.
        """
        of, trusted = Identity(model, version), self._keys.trusted
        with self._folder(model, version) as folder:
            try:
                return bundle.read(
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
                # What was signed may be wrong in ways that nobody thought of, and is no less one of the store's errors.
                raise ArtifactUnloadable(f"it cannot be loaded: {kind_of(error)}") from error

    def check(self, model: str, version: int) -> Checked:
        """
        Load one version in a child process, and not here.

        Raises:
            ArtifactError: A server with these settings would not load it; see `artifacts.bundle.read`.
        """
        of, trusted = Identity(model, version), self._keys.trusted
        with self._folder(model, version) as folder:
            manifest, _ = bundle.verified_manifest(folder, of, trusted=trusted)
        return self._try(of, str(version), manifest, trusted, self._engine)

    def signer(self, *, promote: bool, force: bool = False) -> Signer:
        """
        What signs here.

        Args:
            promote: Whether what is signed becomes a champion.
            force: Whether it may become one that no server with these settings would load.

        Raises:
            KeyInvalid: There is no key to sign with.
            ArtifactUntrusted: It would become a champion that nobody here trusts.
        """
        signer = self._keys.signer()
        if promote and not force and signer.public not in self._keys.trusted:
            raise ArtifactUntrusted(
                f"SEPAL_TRUSTED_KEYS does not name {signer.public.text}, which signs here: what it signs can be "
                "published, and not promoted"
            )
        return signer

    def publish(self, model: str, content: Content, *, promote: bool, force: bool = False, by: str = "") -> Manifest:
        """
        Add a version, whole or not at all, and point the champion at it if asked.

        The champion stays where it is if the key that signs is new to the model: neither SEPAL_TRUSTED_KEYS names it,
        nor did it sign the champion. A server that trusts the champion might not trust this one. `publication` of the
        manifest says so.

        Killed anywhere, this leaves the former state, or the new version whole with the former champion.

        Args:
            model: Its name.
            content: What the version is made of.
            promote: Whether it becomes the champion.
            force: Whether it becomes the champion whichever key signs.
            by: Who is told to have done so; the user of the operating system where nobody is named.

        Raises:
            KeyInvalid: There is no key to sign with.
            ArtifactUntrusted: It would become the champion, and no server would trust who signed it.
            ArtifactError: What was written could not be loaded again; see `artifacts.bundle.read`.
        """
        check_name(model)
        signer = self.signer(promote=promote, force=force)
        home = self._make_home(model)
        with self._turn(model) as opened, self._staging(home) as staging:
            pointers = self._pointers(model)
            version = _after(model, pointers, opened)
            manifest = bundle.write(staging, content, model=model, version=version, signer=signer)
            # A server may be told to ask the estimator itself.
            engines: list[Engine] = ["auto"] if content.programs is None else ["auto", "sklearn"]
            for engine in engines:
                self._try(Identity(model, version), staging.name, manifest, (signer.public,), engine)
            record = partial(history.write, opened, by=by, version=version, key=signer.public.id)
            record("published")
            with handed_out(str(version)):
                staging.rename(home / str(version))
            bundle.sync_folder(home)
            stranger = "" if force or not promote else self._stranger_to(opened, model, pointers, signer.public)
            promoted = promote and not stranger
            if promoted:
                record("promoted", moved=pointers.move_of(CHAMPION, version))
            aliases = {**pointers.aliases, CHAMPION: version} if promoted else pointers.aliases
            self._point(home, Pointers(latest=version, aliases=aliases))
        live = _going_live(f"{model}@{version}", promote=promote, stranger=stranger)
        return manifest.with_publication(
            Publication(self.root.resolve(), signer.public.id, promoted, live, manifest.warnings)
        )

    def promote(self, model: str, version: int, *, alias: str = CHAMPION, force: bool = False, by: str = "") -> None:
        """
        Point an alias at a version that a server would load; if it is not such a one, the alias stays.

        Args:
            model: Its name.
            version: Where the alias points from now on.
            alias: Which alias.
            force: Whether the version may become the champion whichever trusted key signed it, see `publish`.
            by: Who is told to have done so; the user of the operating system where nobody is named.

        Raises:
            ArtifactMissing: The model has no such version.
            NameInvalid: The alias is no name, or would pass for a version.
            ArtifactUntrusted: It would become the champion, and its key is new to the model.
            ArtifactError: It cannot be loaded; see `artifacts.bundle.read`.
        """
        version = self.resolve(check_name(model), version)
        if check_name(alias).isdigit():
            raise NameInvalid(alias)
        key = self.check(model, version).key
        with self._turn(model) as home:
            # It may have been deleted since it was loaded.
            self.resolve(model, version)
            pointers = self._pointers(model)
            signed_by = next(trusted for trusted in self._keys.trusted if trusted.id == key)
            stranger = "" if force or alias != CHAMPION else self._stranger_to(home, model, pointers, signed_by)
            if stranger:
                raise ArtifactUntrusted(f"not promoted: {stranger}; name the key there, or add --force")
            moved = pointers.move_of(alias, version)
            history.write(home, "promoted", by=by, version=version, key=key, moved=moved)
            aliases = {**pointers.aliases, alias: version}
            self._point(self.root.resolve() / model, pointers.model_copy(update={"aliases": aliases}))

    def unalias(self, model: str, alias: str, *, by: str = "") -> int:
        """
        Remove an alias and return the version that it pointed to, which stays.

        Raises:
            ArtifactMissing: The model has no such alias.
        """
        self.versions(check_name(model))
        with self._turn(model) as home:
            pointers = self._pointers(model)
            version = pointers.aliases.get(alias)
            if version is None:
                raise ArtifactMissing(model, alias)
            history.write(
                home,
                "unaliased",
                by=by,
                version=version,
                key=self._key_of(model, version),
                moved=Move(alias, version, None),
            )
            aliases = {name: target for name, target in pointers.aliases.items() if name != alias}
            self._point(self.root.resolve() / model, pointers.model_copy(update={"aliases": aliases}))
        return version

    def sign(self, model: str, version: int, *, by: str = "") -> str:
        """
        Vouch for a version whose files are those that its manifest lists; nothing of it is unpickled.

        Returns:
            The id of the key.

        Raises:
            KeyInvalid: There is no key to sign with.
            ArtifactError: There is no such version, or its files are others.
        """
        version = self.resolve(check_name(model), version)
        signer = self._keys.signer()
        with self._turn(model) as home, home.enter(str(version)) as folder:
            signature = bundle.signature_of(folder, Identity(model, version), signer)
            folder.demand_no_folder(bundle.SIGNATURE)
            history.write(home, "signed", by=by, version=version, key=signer.public.id)
            path = self.root.resolve() / model
            # Not in the version's folder, where it would be a file that nobody listed.
            beside = _beside(path)
            bundle.write_synced(beside, signature)
            beside.replace(path / str(version) / bundle.SIGNATURE)
            bundle.sync_folder(path / str(version))
        return signer.public.id

    def delete(self, model: str, version: int, *, by: str = "") -> None:
        """
        Remove a version from the disk, whole or not at all; its number is not given again.

        Killed anywhere, this leaves the version as it was, or nothing that passes for one; the next publication removes
        what is left.

        Raises:
            ArtifactMissing: The model has no such version.
            ArtifactInUse: An alias names it.
        """
        check_name(model)
        with self._turn(model) as home:
            version = self.resolve(model, version)
            pointers = self._pointers(model)
            naming = [alias for alias, target in pointers.aliases.items() if target == version]
            if naming:
                raise ArtifactInUse(model, version, naming)
            history.write(home, "deleted", by=by, version=version, key=self._key_of(model, version))
            path = self.root.resolve() / model
            if pointers.latest < version:
                self._point(path, pointers.model_copy(update={"latest": version}))
            gone = _beside(path)
            with handed_out(str(version)):
                (path / str(version)).rename(gone)
                bundle.sync_folder(path)
                _remove(gone)

    def history(self, model: str) -> list[Event | None]:
        """What was done to a model, oldest first; None for a line that a crash cut short."""
        self.versions(model)
        with self._home(model) as home:
            return list(history.read(home))

    def former_champions(self, model: str) -> list[int]:
        """Versions that were champion before the one that is now, by the model's history, the latest first."""
        champion = self.aliases(model).get(CHAMPION)
        if champion is None:
            return []
        known = self.versions(model)
        former = history.champions_before(self.history(model), champion, alias=CHAMPION)
        return [version for version in former if version in known]

    def _key_of(self, model: str, version: int) -> str:
        """The id of the trusted key that signed a version; empty if none did."""
        with suppress(ArtifactError):
            return self.verified_manifest(model, version)[1]
        return ""

    def _try(
        self, of: Identity, folder: str, manifest: Manifest, trusted: Sequence[PublicKey], engine: Engine
    ) -> Checked:
        candidate = Candidate(
            str(self.root.resolve()),
            of.model,
            folder,
            of.version,
            tuple(key.text for key in trusted),
            engine,
            self._policy,
            sum(manifest.sizes.values()),
        )
        digest = hashlib.sha256(manifest.model_dump_json().encode()).hexdigest()
        return (self._trials or shared()).check(candidate, digest=digest)

    def _stranger_to(self, home: Folder, model: str, pointers: Pointers, key: PublicKey) -> str:
        """Say that a key is new to the model whose champion would move to what it signed; empty if it is not."""
        champion = pointers.aliases.get(CHAMPION)
        if champion is None or _signed_by(home, Identity(model, champion), key) or key in self._keys.named:
            return ""
        return (
            f"key {key.id} is not in SEPAL_TRUSTED_KEYS and did not sign the champion, version {champion}, so servers "
            "may not trust it"
        )

    def _make_home(self, model: str) -> Path:
        with handed_out(self.root.name):
            self.root.mkdir(parents=True, exist_ok=True)
        home = self.root.resolve() / model
        # Where a link has that name already, this makes nothing, and to enter it is refused.
        with handed_out(model), suppress(FileExistsError):
            home.mkdir()
        if not home.is_dir():
            raise ArtifactPath(model, "no folder, and one is expected")
        bundle.sync_folder(self.root)
        return home

    @contextmanager
    def _home(self, model: str) -> Iterator[Folder]:
        """
        The folder of a model.

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
            # What is wrong with it is told to whoever asks for it.
            return True

    def _versions(self, model: str) -> list[int]:
        try:
            with self._home(model) as home:
                return sorted(int(name) for name in home.folders() if VERSION.fullmatch(name))
        except FileNotFoundError:
            return []

    def _pointers(self, model: str) -> Pointers:
        try:
            with self._home(model) as home:
                return Pointers.model_validate_json(home.read(POINTERS, most=_LARGEST_POINTERS))
        except FileNotFoundError:
            return Pointers()
        except (ValidationError, TooLarge) as error:
            raise ArtifactFormat(f"{POINTERS} of model {model} cannot be read") from error

    def _point(self, home: Path, pointers: Pointers) -> None:
        beside = _beside(home)
        bundle.write_synced(beside, json.dumps(pointers.model_dump(), indent=2).encode())
        beside.replace(home / POINTERS)
        bundle.sync_folder(home)

    @contextmanager
    def _staging(self, home: Path) -> Iterator[Path]:
        """A folder beside, gone afterwards unless it was renamed; what others were killed over goes as well."""
        for abandoned in home.glob(f"{_STAGING}*"):
            with handed_out(abandoned.name):
                _remove(abandoned)
        with handed_out(_STAGING):
            staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=home))
        staging.chmod(0o755)
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    @contextmanager
    def _turn(self, model: str) -> Iterator[Folder]:
        """The folder of a model, of which nobody else writes meanwhile."""
        with self._home(model) as home, home.locked():
            yield home


def _signed_by(home: Folder, champion: Identity, key: PublicKey) -> bool:
    """Return whether a key signed the champion; of one whose files cannot be read, the history says who did."""
    with suppress(ArtifactError, FileNotFoundError), home.enter(str(champion.version)) as folder:
        bundle.verified_manifest(folder, champion, trusted=(key,))
        return True
    signed = [event.key for event in history.read(home) if event and event.version == champion.version]
    return signed[-1:] == [key.id]


def _going_live(reference: str, *, promote: bool, stranger: str) -> str:
    """How a version goes live, in words for whoever published it."""
    if promote and not stranger:
        return "live when the server is next started"
    if not promote:
        return f"not promoted: python -m artifacts promote {reference} makes it the champion"
    return (
        f"not promoted: {stranger}; name the key there, or python -m artifacts promote {reference} --force (in Python: "
        "force=True)"
    )


def _after(model: str, pointers: Pointers, home: Folder) -> int:
    """
    The next version's number.

    Raises:
        ArtifactFormat: There is none left.
    """
    # Whatever has a number's name is in the way of that version, though it be no folder.
    taken = [int(name) for name in home.names() if VERSION.fullmatch(name)]
    newest = max([pointers.latest, *taken])
    if newest >= _NEWEST:
        raise ArtifactFormat(
            f"{POINTERS} or a folder of model {model} says that version {newest} was the last there is"
        )
    return newest + 1


def _beside(home: Path) -> Path:
    """A file that becomes another one, under a name that nobody can have taken; the next publication cleans it up."""
    return home / f"{_STAGING}{secrets.token_hex(8)}"


def _remove(abandoned: Path) -> None:
    """Take it away, and nothing that it points to."""
    if abandoned.is_dir() and not abandoned.is_symlink():
        shutil.rmtree(abandoned)
        return
    abandoned.unlink()


def version_of(reference: str, aliases: Mapping[str, int]) -> int | None:
    """The version that a text means: an alias, or a version's number; None if it is neither."""
    if reference in aliases:
        return aliases[reference]
    return int(reference) if VERSION.fullmatch(reference) else None
