"""The file of signing keys: read as a whole, and changed by commands."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from serve.auth.jwk_sets import secret_key
from serve.auth.signing_keys import GENERATORS, DeploymentKeys, add_key, load, retire_key, save, use_key
from serve.auth.tokens import SigningKey
from serve.errors import Unauthenticated
from tests.support.keys import SECRET, own_keys
from tests.unit.serve.auth.test_tokens import tokens

CURVE, PAIR, KEPT_SECRET = own_keys()


def kids(keys: tuple[SigningKey, ...]) -> list[str]:
    """Return the ids of keys."""
    return [key.kid for key in keys]


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    """It has mode 600, even if it replaces a readable file, and no temporary file is left."""
    file = tmp_path / "keys.json"
    file.write_text("{}")
    file.chmod(0o644)

    save(file, own_keys())

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]
    assert kids(load(file)) == kids(own_keys())


def test_the_secret_is_the_last_key(tmp_path: Path) -> None:
    """With a file and a secret, the secret is the last key, once, whether the file has it too or not."""
    file = tmp_path / "keys.json"

    save(file, (CURVE,))
    assert kids(DeploymentKeys(file, secret=SECRET).read()) == [CURVE.kid, KEPT_SECRET.kid]
    save(file, (KEPT_SECRET, CURVE))
    assert kids(DeploymentKeys(file, secret=SECRET).read()) == [KEPT_SECRET.kid, CURVE.kid]
    assert kids(DeploymentKeys(None, secret=SECRET).read()) == [KEPT_SECRET.kid]
    assert DeploymentKeys(None).read() == ()


def test_a_changed_file_is_read_as_a_whole(tmp_path: Path) -> None:
    """The same tuple is returned until the content changes; a broken file is an error, a repaired one is read."""
    file = tmp_path / "keys.json"
    save(file, (CURVE,))
    ring = DeploymentKeys(file)
    first = ring.read()
    whole = file.read_text()

    assert ring.read() is first
    for broken in ("", whole[:-20], whole.replace("ES256", "RS256"), " " * 2**18 + whole):
        file.write_text(broken)
        with pytest.raises(ValueError, match=str(file)):
            ring.read()
    file.unlink()
    with pytest.raises(OSError, match="No such file"):
        ring.read()
    save(file, (CURVE, PAIR))
    assert kids(ring.read()) == [CURVE.kid, PAIR.kid]


def test_keys_are_added_used_and_retired(tmp_path: Path) -> None:
    """A new key verifies only, a used key is the first, and the signing key cannot be retired."""
    file = tmp_path / "keys.json"

    first, second = add_key(file, "ES256"), add_key(file, "HS256")
    assert kids(load(file)) == [first, second]
    with pytest.raises(ValueError, match="signs"):
        retire_key(file, first)
    use_key(file, second)
    assert kids(load(file)) == [second, first]
    retire_key(file, first)
    assert kids(load(file)) == [second]
    for change in (use_key, retire_key):
        with pytest.raises(ValueError, match="no key"):
            change(file, first)


def test_tokens_are_valid_while_their_key_is_there() -> None:
    """The tokens of a key are valid until the key is removed, whichever key signs now."""
    ours = tokens(CURVE)
    old = ours.issue("ada", []).token

    assert ours.replace_keys((PAIR, CURVE)) == frozenset()
    new = ours.issue("ada", []).token
    assert ours.verify(old).ids >= {f"kid:{CURVE.kid}"}
    assert ours.verify(new).ids >= {f"kid:{PAIR.kid}"}
    with pytest.raises(ValueError, match="no key"):
        ours.replace_keys(())
    assert ours.verify(old).principal.name == "ada"
    assert ours.replace_keys((PAIR,)) == {f"kid:{CURVE.kid}"}
    with pytest.raises(Unauthenticated):
        ours.verify(old)
    assert ours.verify(new).principal.name == "ada"


def test_a_token_of_another_secret_is_refused() -> None:
    """A token with the same issuer and audience, but another secret, is refused."""
    with pytest.raises(Unauthenticated):
        tokens(secret_key(b"another secret of thirty-two bytes")).verify(tokens().issue("ada", []).token)


def test_commands_wait_for_each_other(tmp_path: Path) -> None:
    """Eight concurrent commands add eight keys."""
    file = tmp_path / "keys.json"

    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda _: add_key(file, "HS256"), range(8)))

    assert sorted(kids(load(file))) == sorted(added)
    assert len(load(file)) == 8


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """A named pipe without a writer is an error, not a wait."""
    os.mkfifo(tmp_path / "keys.json")

    with pytest.raises(ValueError, match="not a regular file"):
        load(tmp_path / "keys.json")


def test_no_id_begins_with_a_hyphen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id is an argument of commands, so a key whose id begins with a hyphen is generated again."""
    generate = GENERATORS["HS256"]
    odd = next(key for key in iter(generate, None) if key.kid.startswith("-"))
    made = iter([odd, odd, KEPT_SECRET])
    monkeypatch.setitem(cast(dict[str, Any], GENERATORS), "HS256", lambda: next(made))

    add_key(tmp_path / "keys.json", "HS256")

    assert kids(load(tmp_path / "keys.json")) == [KEPT_SECRET.kid]
