"""The signing keys of a machine: created once, readable by their owner only, trusted where configured."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from artifacts import Store
from artifacts.errors import ArtifactUntrusted, KeyInvalid
from artifacts.keys import Keys, generate, public_key_path
from tests.support import tiny_models
from tests.support.server import ROOT, environment
from tests.support.version_folders import stranger, trusted

_PUBLISH = """
import sys
from pathlib import Path
from artifacts import ArtifactSettings
from artifacts.keys import Keys
print(Keys.of(ArtifactSettings()).signer().public.text)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a key that does not exist yet."""
    return tmp_path / "state" / "signing.key"


def test_a_private_key_is_readable_by_its_owner_only(file: Path) -> None:
    """The private key has mode 600 in a folder of mode 700, and no temporary file stays."""
    public = generate(file)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert public_key_path(file).read_text() == f"{public.text}\n"
    assert sorted(path.name for path in file.parent.iterdir()) == ["signing.key", "signing.key.pub"]
    assert Keys((), file).signer().public == public


def test_a_key_is_never_replaced(file: Path) -> None:
    """Generating a key where one exists is refused, and the existing key stays."""
    first = generate(file)

    with pytest.raises(FileExistsError):
        generate(file)

    assert Keys((), file).signer().public == first


def test_the_public_key_of_a_lost_private_key_is_not_replaced(file: Path) -> None:
    """Versions that the lost private key signed still need its public key, so it stays."""
    generate(file)
    file.unlink()

    with pytest.raises(KeyInvalid, match="move it away"):
        generate(file)


def test_processes_that_start_together_share_one_key(file: Path) -> None:
    """If several processes sign for the first time, one makes the key, and all sign with it."""
    env = environment(signing_key=file, trusted_keys="")
    started = [
        subprocess.Popen([sys.executable, "-c", _PUBLISH], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]

    printed = {process.communicate(timeout=60)[0].strip() for process in started}

    assert printed == {public_key_path(file).read_text().strip()}
    assert len(list(file.parent.iterdir())) == 2


def test_development_makes_a_key_and_trusts_it(tmp_path: Path, file: Path) -> None:
    """The first publication makes the key; a reader with only the public key loads the version too."""
    store = Store(tmp_path / "store", keys=Keys((), file, is_own=True))
    tiny_models.make().publish(store)
    loaded = [store.load("tiny", 1).key]
    file.rename(tmp_path / "elsewhere")
    loaded.append(store.load("tiny", 1).key)

    assert loaded == [Keys((), file, is_own=True).trusted[0].id] * 2


def test_a_private_key_is_enough(file: Path) -> None:
    """A publisher that brings only a private key need not write the public one."""
    public = generate(file)
    public_key_path(file).unlink()

    assert Keys((), file, is_own=True).trusted == (public,)


def test_production_makes_no_key(tmp_path: Path, file: Path) -> None:
    """Without a key nothing is published, nothing is written, and the message says how to make one."""
    store = Store(tmp_path / "store", keys=Keys(tuple(trusted()), file))

    with pytest.raises(KeyInvalid, match="keygen"):
        tiny_models.make().publish(store)

    assert not file.parent.exists()
    assert not store.root.exists()


def test_production_trusts_only_named_keys(tmp_path: Path, file: Path) -> None:
    """The own key is not trusted unless it is named: versions that it signs are neither promoted nor loaded."""
    generate(file)
    store = Store(tmp_path / "store", keys=Keys(tuple(trusted()), file))

    with pytest.raises(ArtifactUntrusted, match="SEPAL_TRUSTED_KEYS does not name"):
        tiny_models.make().publish(store)
    tiny_models.make().publish(store, promote=False)
    with pytest.raises(ArtifactUntrusted):
        store.promote("tiny", 1)

    assert store.aliases("tiny") == {}


@pytest.mark.parametrize("spoil", ["mode", "garbage", "empty", "other kind", "folder", "large"])
def test_an_invalid_key_is_an_error(file: Path, spoil: str) -> None:
    """The message names the file, and contains nothing of its content."""
    generate(file)
    if spoil == "mode":
        file.chmod(0o640)
    if spoil in {"garbage", "empty", "large"}:
        file.write_bytes({"garbage": b"secret!", "empty": b"", "large": b"secret!" * 10_000}[spoil])
    if spoil == "folder":
        file.unlink()
        file.mkdir()
    if spoil == "other kind":
        other = generate_private_key(SECP256R1())
        file.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    with pytest.raises(KeyInvalid, match=r"signing\.key") as refused:
        Keys((), file).signer()

    assert "secret!" not in str(refused.value)


def test_an_invalid_public_key_is_an_error(file: Path) -> None:
    """Development does not replace an incomplete key pair."""
    generate(file)
    public_key_path(file).write_text("ed25519:short\n")

    with pytest.raises(KeyInvalid, match=r"signing\.key\.pub"):
        _ = Keys((), file, is_own=True).trusted


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_public_key_that_others_can_write_is_refused(file: Path, mode: int) -> None:
    """Others could replace it by a key of their own."""
    generate(file)
    public_key_path(file).chmod(mode)

    with pytest.raises(KeyInvalid, match=r"signing\.key\.pub can be written by others"):
        _ = Keys((), file, is_own=True).trusted


def test_a_public_key_of_another_private_key_is_refused(file: Path) -> None:
    """A public key next to a private key of another pair is not trusted."""
    generate(file)
    public_key_path(file).write_text(f"{stranger().public.text}\n")

    with pytest.raises(KeyInvalid, match="is not the public key of"):
        _ = Keys((), file, is_own=True).trusted


def test_a_key_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A file where the key's folder should be is a KeyInvalid."""
    (tmp_path / "file").touch()

    with pytest.raises(KeyInvalid, match="cannot be created"):
        Keys((), tmp_path / "file" / "signing.key", is_own=True).signer()
