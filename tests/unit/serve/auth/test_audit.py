"""The audit: what is stored, and for how long."""

import json

from sqlalchemy import Engine

from serve.auth.audit import Audit
from serve.storage.database import writing


def test_texts_are_printable_and_bounded_and_old_entries_are_pruned(engine: Engine) -> None:
    """Texts from outside have no control characters and are cut; entries are deleted when they are too old."""
    now = [1_800_000_000.0]
    audit = Audit(engine, kept_s=100, clock=lambda: now[0])

    with writing(engine) as session:
        audit.note(session, "odd", who="a\n\x1b[31m\u2028" + "b" * 1000, address="x" * 1000, fact="\x00" * 1000)
    [entry] = audit.last(10)
    now[0] += 99
    audit.prune()
    kept = audit.last(10)
    now[0] += 2
    audit.prune()

    assert entry.who.startswith("a??[31m?b")
    assert (len(entry.who), len(entry.address), len(json.loads(entry.facts)["fact"])) == (128, 64, 256)
    assert (len(kept), audit.last(10)) == (1, [])
