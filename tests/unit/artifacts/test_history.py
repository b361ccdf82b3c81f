"""The history of a model: what each event records, and that no event is changed or removed."""

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


def test_every_event_is_recorded_in_order(store: Store) -> None:
    """An event has its author, time, version and signing key; a promotion also has the alias before and after."""
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


def test_events_are_only_appended(store: Store) -> None:
    """Publishing and promoting leave the bytes of earlier events unchanged."""
    before = (store.root / "tiny" / HISTORY).read_bytes()

    tiny_models.make().publish(store)
    store.promote("tiny", 1)

    assert (store.root / "tiny" / HISTORY).read_bytes().startswith(before)
    assert len(store.history("tiny")) == 9


@pytest.mark.parametrize("cut", [1, 2, 50])
def test_a_truncated_line_hides_no_other(store: Store, cut: int) -> None:
    """After a crash within a line, the lines before it are read, and the next event begins a new line."""
    path = store.root / "tiny" / HISTORY
    path.write_bytes(path.read_bytes()[:-cut])
    store.promote("tiny", 1)

    events = store.history("tiny")

    names = [event.event if event else None for event in events]
    assert names == [
        "published",
        "promoted",
        "published",
        "promoted",
        "promoted",
        None if cut > 1 else "signed",
        "promoted",
    ]


def test_a_refused_publication_is_not_recorded(store: Store) -> None:
    """A version that fails its self-test is not published, and the history has no event of it."""
    other = tiny_models.make().promise.examples.model_copy(update={"predictions": ("long",) * 6})

    with pytest.raises(ArtifactSelfTest):
        tiny_models.make(examples=other).publish(store)

    assert len(store.history("tiny")) == 6


def test_an_author_cannot_add_lines(store: Store) -> None:
    """An event is one line whatever characters its author has, and the author is cut to 128 characters."""
    store.promote("tiny", 1, by='x\n{"event": "signed"}\x1b' + "y" * 1000)

    last = store.history("tiny")[-1]
    assert len(store.history("tiny")) == 7
    assert last is not None
    assert len(last.by) == 128


def test_a_model_without_a_history_file_has_an_empty_history(store: Store) -> None:
    """A model published before histories existed has an empty history; an unknown model is ArtifactMissing."""
    (store.root / "tiny" / HISTORY).unlink()

    assert store.history("tiny") == []
    with pytest.raises(ArtifactMissing):
        store.history("ghost")
