"""The file of the keys that sign: read whole or not at all, and changed by commands."""

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
from tests.support.server import environment, run
from tests.unit.serve.auth.test_tokens import tokens

CURVE, PAIR, KEPT_SECRET = own_keys()


def kids(keys: tuple[SigningKey, ...]) -> list[str]:
    """What the keys are called."""
    return [key.kid for key in keys]


def test_a_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """It has mode 600, also where there was one that was open, and nothing is left beside it."""
    file = tmp_path / "keys.json"
    file.write_text("{}")
    file.chmod(0o644)

    save(file, own_keys())

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]
    assert kids(load(file)) == kids(own_keys())


def test_the_secret_verifies_behind_the_file(tmp_path: Path) -> None:
    """While a secret is set beside a file it comes last, once, whether the file has it too or not."""
    file = tmp_path / "keys.json"

    save(file, (CURVE,))
    assert kids(DeploymentKeys(file, secret=SECRET).read()) == [CURVE.kid, KEPT_SECRET.kid]
    save(file, (KEPT_SECRET, CURVE))
    assert kids(DeploymentKeys(file, secret=SECRET).read()) == [KEPT_SECRET.kid, CURVE.kid]
    assert kids(DeploymentKeys(None, secret=SECRET).read()) == [KEPT_SECRET.kid]
    assert DeploymentKeys(None).read() == ()


def test_a_change_is_seen_whole_or_not_at_all(tmp_path: Path) -> None:
    """The same object comes back until the content changes; a broken file is an error, and a good one counts again."""
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
    """A new key verifies only, the one that is used comes first, and the one that signs is not retired."""
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


def test_a_ring_is_changed_under_its_tokens() -> None:
    """What a key signed counts for as long as the key is there, whichever key signs now, and not a moment longer."""
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


def test_the_secret_of_another_deployment_is_another() -> None:
    """The same issuer and audience under another secret are nobody."""
    with pytest.raises(Unauthenticated):
        tokens(secret_key(b"another secret of thirty-two bytes")).verify(tokens().issue("ada", []).token)


def test_commands_wait_for_each_other(tmp_path: Path) -> None:
    """Of eight at once, each is in the file: none writes again what another took away."""
    file = tmp_path / "keys.json"

    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda _: add_key(file, "HS256"), range(8)))

    assert sorted(kids(load(file))) == sorted(added)
    assert len(load(file)) == 8


def test_a_pipe_is_no_file_of_keys(tmp_path: Path) -> None:
    """What nobody writes to is not waited for."""
    os.mkfifo(tmp_path / "keys.json")

    with pytest.raises(ValueError, match="not a regular file"):
        load(tmp_path / "keys.json")


def test_no_id_looks_like_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id is an argument of `use` and `retire`: a key whose id begins with a hyphen is made anew."""
    generate = GENERATORS["HS256"]
    odd = next(key for key in iter(generate, None) if key.kid.startswith("-"))
    made = iter([odd, odd, KEPT_SECRET])
    monkeypatch.setitem(cast(dict[str, Any], GENERATORS), "HS256", lambda: next(made))

    add_key(tmp_path / "keys.json", "HS256")

    assert kids(load(tmp_path / "keys.json")) == [KEPT_SECRET.kid]


def test_the_commands_rotate(tmp_path: Path) -> None:
    """A new file begins with the secret, which signs on; then a key is added, used, and the secret retired."""
    file = tmp_path / "keys.json"
    env = environment(state=tmp_path, secret_key=SECRET, token_keys=file)

    added_key = run("serve", "signing-keys", "add", "ES256", env=env)
    kid = added_key.stdout.strip()
    begun = run("serve", "signing-keys", "list", env=env).stdout
    early = run("serve", "signing-keys", "retire", KEPT_SECRET.kid, env=env)
    used_key = run("serve", "signing-keys", "use", kid, env=env)
    gone = run("serve", "signing-keys", "retire", KEPT_SECRET.kid, env=env)

    assert begun.splitlines() == [f"{KEPT_SECRET.kid}  HS256  signs", f"{kid}  ES256  verifies"]
    assert (early.returncode, used_key.returncode, gone.returncode) == (2, 0, 0)
    assert "signs" in early.stderr
    assert "for as long as SEPAL_SECRET_KEY is set" in gone.stdout
    assert kids(load(file)) == [kid]
    assert SECRET not in begun + early.stderr + gone.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(["list"], "No such file"), (["use", "x"], "No such file"), (["add", "none"], "invalid choice")],
)
def test_a_command_that_cannot_be_is_told(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    """Without a file there is nothing to list or use, and no algorithm but ours is made a key for."""
    ended = run("serve", "signing-keys", *arguments, env=environment(state=tmp_path, token_keys=tmp_path / "no.json"))

    assert ended.returncode == 2
    assert complaint in ended.stderr
    assert "Traceback" not in ended.stderr


def test_commands_need_a_file(tmp_path: Path) -> None:
    """Who has no file is told which setting names one."""
    ended = run("serve", "signing-keys", "list", env=environment(state=tmp_path))

    message = "SEPAL_TOKEN_KEYS is not set: it must name the file of the keys that sign tokens\n"
    assert (ended.returncode, ended.stderr) == (2, message)
