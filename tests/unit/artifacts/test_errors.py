"""Errors of artifacts say what is wrong in printable text of bounded length."""

import signal

import pytest

from artifacts.errors import (
    ArtifactDigest,
    ArtifactError,
    ArtifactIncomplete,
    ArtifactInUse,
    ArtifactMissing,
    ArtifactPath,
    ArtifactVersion,
    NameInvalid,
    is_ctrl_c,
)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (NameInvalid("a\n"), "invalid name 'a\\n': use lower-case letters"),
        (ArtifactMissing("m"), "the store has no model 'm'"),
        (ArtifactMissing("m", 3), "the store has no version or alias '3' of model 'm'"),
        (ArtifactInUse("m", 2, ["b", "a"]), "version 2 of model m is its a, b: point the alias"),
        (ArtifactPath("x\x1b", "a link"), "'x\\u001b' is a link"),
        (ArtifactIncomplete(missing=["b", "a"]), "missing: a, b"),
        (ArtifactIncomplete(unlisted=["c"]), "not listed: c"),
        (ArtifactIncomplete(missing=["a"], unlisted=["c"]), "missing: a; not listed: c"),
        (ArtifactIncomplete(missing=map(str, range(10))), "missing: 0, 1, 2, 3, 4, 5, 6, 7, and 2 more"),
        (ArtifactDigest("model.joblib"), "model.joblib was changed after it was published"),
        (ArtifactVersion(["numpy 1", "joblib 2"]), "numpy 1; joblib 2: publish the model again"),
    ],
    ids=lambda case: type(case).__name__ if isinstance(case, ArtifactError) else "",
)
def test_a_message_says_what_is_wrong(error: ArtifactError, message: str) -> None:
    """Names are sorted, escaped and cut."""
    assert str(error).startswith(message)


def test_only_the_users_interrupt_is_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    """A KeyboardInterrupt is Ctrl-C if Python's own handler raised it."""
    monkeypatch.setattr(signal, "getsignal", lambda _: signal.default_int_handler)
    assert is_ctrl_c(KeyboardInterrupt())
    assert not is_ctrl_c(SystemExit())

    monkeypatch.setattr(signal, "getsignal", lambda _: signal.SIG_IGN)
    assert not is_ctrl_c(KeyboardInterrupt())
