"""Change a store: publish, promote, sign and delete versions; each change is one atomic replace."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from artifacts import history, version_folder
from artifacts.errors import (
    ArtifactError,
    ArtifactFormat,
    ArtifactInUse,
    ArtifactMissing,
    ArtifactPath,
    ArtifactUntrusted,
    NameInvalid,
)
from artifacts.files import TEMPORARY, sync_folder, temporary_path, write_file
from artifacts.folders import Folder, artifact_errors
from artifacts.manifest import Manifest, Publication, check_name
from artifacts.pointers import CHAMPION, NEWEST, POINTERS, VERSION, Pointers, read_pointers, write_pointers
from artifacts.settings import Engine
from artifacts.signing import PublicKey, Signer
from artifacts.store_reader import StoreReader
from artifacts.version_folder import SIGNATURE, Content, Identity


class _Home(NamedTuple):
    """The folder of a model while one process changes it."""

    folder: Folder
    path: Path
    pointers: Pointers


class Store(StoreReader):
    """A store that can be changed; writers of one model take turns by a lock that dies with its holder."""

    def signer(self, *, promote: bool, force: bool = False) -> Signer:
        """
        Return the key that signs here.

        Args:
            promote: Whether the version that it signs becomes the champion.
            force: Whether it may become the champion though no server with these settings would load it.

        Raises:
            KeyInvalid: There is no key to sign with.
            ArtifactUntrusted: The version would become the champion, and the key is not trusted here.
        """
        signer = self._keys.signer()
        if promote and not force and signer.public not in self._keys.trusted:
            raise ArtifactUntrusted(
                f"SEPAL_TRUSTED_KEYS does not name {signer.public.text}, the key that signs here: versions that it "
                "signs can be published, and not promoted"
            )
        return signer

    def publish(self, model: str, content: Content, *, promote: bool, force: bool = False, by: str = "") -> Manifest:
        """
        Add a version, whole or not at all, and point the champion at it if requested.

        The champion does not move if the key that signs is new to the model: it is not in SEPAL_TRUSTED_KEYS and did
        not sign the present champion. A server that trusts the champion might not trust this version. `publication` of
        the manifest says so.

        If the process is killed, the store has the former state, or the whole new version and the former champion.

        Args:
            model: Its name.
            content: What the version is made of.
            promote: Whether it becomes the champion.
            force: Whether it becomes the champion whichever key signs.
            by: The publisher's name for the history; by default the user of the operating system.

        Raises:
            KeyInvalid: There is no key to sign with.
            ArtifactUntrusted: It would become the champion, and the key that signs is not trusted.
            ArtifactError: What was written cannot be loaded; see `bundle.load`.
        """
        check_name(model)
        signer = self.signer(promote=promote, force=force)
        self._make_home(model)
        with self._exclusive(model) as home, _staging(home.path) as staging:
            version = _next_version(model, home)
            manifest = version_folder.write(staging, content, model=model, version=version, signer=signer)
            # The estimator must load too: `Store(engine="sklearn")` executes it instead of the program.
            engines: list[Engine] = ["auto"] if content.programs is None else ["auto", "sklearn"]
            for engine in engines:
                self._try(Identity(model, version), staging.name, manifest, (signer.public,), engine)
            history.write(home.folder, "published", by=by, version=version, key=signer.public.id)
            with artifact_errors(str(version)):
                staging.rename(home.path / str(version))
            sync_folder(home.path)
            refused = self._key_refusal(home, model, signer.public) if promote and not force else ""
            pointers = home.pointers.model_copy(update={"latest": version})
            if promote and not refused:
                move = pointers.move_of(CHAMPION, version)
                history.write(home.folder, "promoted", by=by, version=version, key=signer.public.id, moved=move)
                pointers = pointers.moved(move)
            write_pointers(home.path, pointers)
        live = _how_to_go_live(f"{model}@{version}", promote=promote, refused=refused)
        return manifest.with_publication(
            Publication(self.root.resolve(), signer.public.id, promote and not refused, live, manifest.warnings)
        )

    def promote(self, model: str, version: int, *, alias: str = CHAMPION, force: bool = False, by: str = "") -> None:
        """
        Point an alias at a version, after loading it as a server would; if that fails, the alias does not move.

        Args:
            model: Its name.
            version: The version that the alias points to from now on.
            alias: Which alias.
            force: Whether the version may become the champion whichever trusted key signed it, see `publish`.
            by: The name of who does it, for the history; by default the user of the operating system.

        Raises:
            ArtifactMissing: The model has no such version.
            NameInvalid: The alias is not a valid name, or a number.
            ArtifactUntrusted: It would become the champion, and its key is new to the model.
            ArtifactError: It cannot be loaded; see `bundle.load`.
        """
        version = self.resolve(check_name(model), version)
        if check_name(alias).isdigit():
            raise NameInvalid(alias)
        key_id = self.check(model, version).key
        with self._exclusive(model) as home:
            # It may have been deleted since it was loaded.
            self.resolve(model, version)
            if alias == CHAMPION and not force:
                key = next(trusted for trusted in self._keys.trusted if trusted.id == key_id)
                refused = self._key_refusal(home, model, key)
                if refused:
                    raise ArtifactUntrusted(f"not promoted: {refused}; add the key there, or use --force")
            move = home.pointers.move_of(alias, version)
            history.write(home.folder, "promoted", by=by, version=version, key=key_id, moved=move)
            write_pointers(home.path, home.pointers.moved(move))

    def unalias(self, model: str, alias: str, *, by: str = "") -> int:
        """
        Remove an alias and return the version that it pointed to, which stays.

        Raises:
            ArtifactMissing: The model has no such alias.
        """
        self.versions(check_name(model))
        with self._exclusive(model) as home:
            version = home.pointers.aliases.get(alias)
            if version is None:
                raise ArtifactMissing(model, alias)
            move = home.pointers.move_of(alias, None)
            key_id = self._key_of(model, version)
            history.write(home.folder, "unaliased", by=by, version=version, key=key_id, moved=move)
            write_pointers(home.path, home.pointers.moved(move))
        return version

    def sign(self, model: str, version: int, *, by: str = "") -> str:
        """
        Sign a version whose files are those that its manifest lists; nothing of it is unpickled.

        Returns:
            The id of the key.

        Raises:
            KeyInvalid: There is no key to sign with.
            ArtifactError: There is no such version, or its files differ.
        """
        version = self.resolve(check_name(model), version)
        signer = self._keys.signer()
        with self._exclusive(model) as home, home.folder.enter(str(version)) as folder:
            signature = version_folder.sign(folder, Identity(model, version), signer)
            folder.check_no_folder(SIGNATURE)
            history.write(home.folder, "signed", by=by, version=version, key=signer.public.id)
            # The temporary file is not in the version's folder, where a reader would find a file that is not listed.
            with artifact_errors(SIGNATURE):
                write_file(home.path / str(version) / SIGNATURE, signature, folder=home.path)
        return signer.public.id

    def delete(self, model: str, version: int, *, by: str = "") -> None:
        """
        Remove a version from the disk, whole or not at all; its number is not given again.

        If the process is killed, the version is unchanged, or a temporary folder is left that the next publication
        removes.

        Raises:
            ArtifactMissing: The model has no such version.
            ArtifactInUse: An alias points to it.
        """
        check_name(model)
        with self._exclusive(model) as home:
            version = self.resolve(model, version)
            aliases = [alias for alias, target in home.pointers.aliases.items() if target == version]
            if aliases:
                raise ArtifactInUse(model, version, aliases)
            history.write(home.folder, "deleted", by=by, version=version, key=self._key_of(model, version))
            if home.pointers.latest < version:
                write_pointers(home.path, home.pointers.model_copy(update={"latest": version}))
            removed = temporary_path(home.path)
            with artifact_errors(str(version)):
                (home.path / str(version)).rename(removed)
                sync_folder(home.path)
                _remove(removed)

    def _key_of(self, model: str, version: int) -> str:
        """Return the id of the trusted key that signed a version; empty if none did."""
        with suppress(ArtifactError):
            return self.verified_manifest(model, version)[1]
        return ""

    def _key_refusal(self, home: _Home, model: str, key: PublicKey) -> str:
        """Return why the champion must not move to a version of a key that is new to the model; empty if it may."""
        champion = home.pointers.aliases.get(CHAMPION)
        if champion is None or key in self._keys.named or _signed_by(home.folder, Identity(model, champion), key):
            return ""
        return (
            f"key {key.id} is not in SEPAL_TRUSTED_KEYS and did not sign the champion, version {champion}, so servers "
            "may not trust it"
        )

    def _make_home(self, model: str) -> None:
        with artifact_errors(self.root.name):
            self.root.mkdir(parents=True, exist_ok=True)
        home = self.root.resolve() / model
        # A link of that name makes this fail, and is refused when it is entered.
        with artifact_errors(model), suppress(FileExistsError):
            home.mkdir()
        if not home.is_dir():
            raise ArtifactPath(model, "not a folder, and a folder is expected")
        sync_folder(self.root)

    @contextmanager
    def _exclusive(self, model: str) -> Iterator[_Home]:
        """Open the folder of a model while no other process changes it."""
        with self._home(model) as folder, folder.locked():
            yield _Home(folder, self.root.resolve() / model, read_pointers(folder, model))


@contextmanager
def _staging(home: Path) -> Iterator[Path]:
    """Make a temporary folder, which is removed unless it was renamed; remove those of processes that were killed."""
    for abandoned in home.glob(f"{TEMPORARY}*"):
        with artifact_errors(abandoned.name):
            _remove(abandoned)
    with artifact_errors(TEMPORARY):
        staging = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=home))
    staging.chmod(0o755)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _remove(path: Path) -> None:
    """Remove a file or a folder; of a link only the link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _signed_by(home: Folder, champion: Identity, key: PublicKey) -> bool:
    """Return whether a key signed the champion; if its files cannot be read, the history says which key did."""
    with suppress(ArtifactError, FileNotFoundError), home.enter(str(champion.version)) as folder:
        version_folder.verified_manifest(folder, champion, trusted=(key,))
        return True
    signed = [event.key for event in history.read(home) if event and event.version == champion.version]
    return signed[-1:] == [key.id]


def _how_to_go_live(reference: str, *, promote: bool, refused: str) -> str:
    """Return the line that says how a version goes live, or why it does not."""
    if not promote:
        return f"not promoted: python -m artifacts promote {reference} makes it the champion"
    if not refused:
        return "live when the server is next started"
    return (
        f"not promoted: {refused}; add the key there, or use python -m artifacts promote {reference} --force (in "
        "Python: force=True)"
    )


def _next_version(model: str, home: _Home) -> int:
    """
    Return the next version's number.

    Raises:
        ArtifactFormat: There is none left.
    """
    # Anything that is named like a number blocks that version, though it is not a folder.
    taken = [int(name) for name in home.folder.names() if VERSION.fullmatch(name)]
    newest = max([home.pointers.latest, *taken])
    if newest >= NEWEST:
        raise ArtifactFormat(f"{POINTERS} or a folder of model {model} has version {newest}, the last possible one")
    return newest + 1
