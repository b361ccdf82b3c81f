"""What the history of a model tells, and that nothing takes it back."""

import os
import pwd
from pathlib import Path

import pytest

from artifacts import CHAMPION, Store
from artifacts.errors import ArtifactMissing, ArtifactSelfTest
from artifacts.history import HISTORY
from tests.support import tiny_models
from tests.support.version_folders import signer


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two versions, the second published without promotion, promoted as a challenger and signed again."""
    store = Store(tmp_path)
    tiny_models.make().publish(store)
    tiny_models.make().publish(store, promote=False)
    store.promote("tiny", 2, alias="challenger", by="ada")
    store.promote("tiny", 2, by="grace")
    store.sign("tiny", 1, by="ada")
    return store


def test_every_deed_is_told_in_its_order(store: Store) -> None:
    """Who did what to which version, when, where an alias pointed before, and whose signature the version has."""
    events = [event for event in store.history("tiny") if event]
    user = pwd.getpwuid(os.getuid()).pw_name

    assert [(event.event, event.version, event.by) for event in events] == [
        ("published", 1, user),
        ("promoted", 1, user),
        ("published", 2, user),
        ("promoted", 2, "ada"),
        ("promoted", 2, "grace"),
        ("signed", 1, "ada"),
    ]
    moves = [(event.alias, event.before, event.after) for event in events if event.alias]
    assert moves == [(CHAMPION, None, 1), ("challenger", None, 2), (CHAMPION, 1, 2)]
    assert {event.key for event in events} == {signer().public.id}
    assert [event.at for event in events] == sorted(event.at for event in events)


def test_nothing_rewrites_it(store: Store) -> None:
    """What stood there stands there still, byte for byte, after whatever comes next."""
    before = (store.root / "tiny" / HISTORY).read_bytes()

    tiny_models.make().publish(store)
    store.promote("tiny", 1)

    assert (store.root / "tiny" / HISTORY).read_bytes().startswith(before)
    assert len(store.history("tiny")) == 9


@pytest.mark.parametrize("cut", [1, 2, 50])
def test_a_line_cut_short_hides_no_other(store: Store, cut: int) -> None:
    """After a crash within a line, those before it are read, and the next has a line of its own."""
    path = store.root / "tiny" / HISTORY
    path.write_bytes(path.read_bytes()[:-cut])
    store.promote("tiny", 1)

    events = store.history("tiny")

    told = [event.event if event else None for event in events]
    assert told == [
        "published",
        "promoted",
        "published",
        "promoted",
        "promoted",
        None if cut > 1 else "signed",
        "promoted",
    ]


def test_what_is_refused_leaves_no_line(store: Store) -> None:
    """A version that does not answer as it did is neither published nor told."""
    other = tiny_models.make().promise.examples.model_copy(update={"predictions": ("long",) * 6})

    with pytest.raises(ArtifactSelfTest):
        tiny_models.make(examples=other).publish(store)

    assert len(store.history("tiny")) == 6


def test_a_name_cannot_break_its_line(store: Store) -> None:
    """Whatever somebody calls themselves, one deed is one line, and no longer than it may be."""
    store.promote("tiny", 1, by='x\n{"event": "signed"}\x1b' + "y" * 1000)

    last = store.history("tiny")[-1]
    assert len(store.history("tiny")) == 7
    assert last is not None
    assert len(last.by) == 128


def test_an_old_model_has_no_history(store: Store) -> None:
    """What was published before there was one has an empty one; what is no model has none."""
    (store.root / "tiny" / HISTORY).unlink()

    assert store.history("tiny") == []
    with pytest.raises(ArtifactMissing):
        store.history("ghost")
