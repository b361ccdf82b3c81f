"""The child process of a trial replies with the result of loading a version, success or error."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artifacts import bundle
from artifacts.child import Child, ChildPool
from artifacts.trial import MEMORY_BYTES, TrialRequest, start_child
from artifacts.trial_child import load_version
from tests.support import tiny_models
from tests.support.version_folders import Quitter, seal, signer, trusted


def request(root: Path, *, model: str = "tiny", version: int = 1, **other: Any) -> TrialRequest:
    """A request to load a version of a store."""
    keys = tuple(key.text for key in trusted())
    fields = {"trusted": keys, "engine": "auto", "versions": "refuse", "digest": "0", **other}
    return TrialRequest(str(root), model, str(version), version, **fields)


def test_a_version_that_loads_is_reported_with_its_key(root: Path) -> None:
    """The child can be used again."""
    reply = load_version(request(root), MEMORY_BYTES)

    assert (reply["key"], reply["incompatible"], reply["differing"]) == (signer().public.id, (), ())
    assert "spoiled" not in reply


@pytest.mark.parametrize(
    ("fields", "slug"),
    [
        ({"model": "ghost"}, "artifact-missing"),
        ({"version": 7}, "artifact-missing"),
        ({"trusted": ()}, "artifact-untrusted"),
    ],
)
def test_an_error_before_loading_leaves_the_child_usable(root: Path, fields: dict[str, Any], slug: str) -> None:
    """Nothing of the version has run."""
    reply = load_version(request(root, **fields), MEMORY_BYTES)

    assert (reply["slug"], reply.get("spoiled", False)) == (slug, False)


def test_an_error_while_loading_spoils_the_child(root: Path) -> None:
    """Code of the version has run, and may have changed the process."""
    seal(root / "tiny" / "1", "model.joblib", tiny_models.pickle(Quitter()))

    reply = load_version(request(root), MEMORY_BYTES)

    assert (reply["slug"], reply["spoiled"]) == ("artifact-unloadable", True)


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (MemoryError(), "loading it needs more than 1024 MiB of memory"),
        (SystemExit(), "it cannot be loaded: SystemExit"),
    ],
    ids=repr,
)
def test_any_other_error_is_unloadable(
    root: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, detail: str
) -> None:
    """A lack of memory is reported as such, also if another error was raised because of it."""

    def fail(*_: object, **__: object) -> None:
        try:
            raise error
        except MemoryError as cause:
            raise RuntimeError from cause

    monkeypatch.setattr(bundle, "load", fail)

    assert load_version(request(root), MEMORY_BYTES) == {
        "slug": "artifact-unloadable",
        "detail": detail,
        "spoiled": True,
    }


@pytest.fixture
def child() -> Iterator[Child]:
    """A child process."""
    child = start_child()
    yield child
    child.end()


def test_the_limits_hold_for_one_request(root: Path, child: Child) -> None:
    """Limits are removed after a request, so that the same process can load the next version."""
    pool = ChildPool(lambda: child)
    fields = {name: getattr(request(root), name) for name in TrialRequest.__dataclass_fields__}

    replies = [pool.call({**fields, "time_s": 60, "memory_bytes": MEMORY_BYTES}, time_s=60) for _ in range(2)]

    assert [reply["key"] for reply in replies] == [signer().public.id] * 2
