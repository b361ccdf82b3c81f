"""Failed calls of models: counted each, logged once a minute, and without values of clients."""

import numpy as np
import pytest
from structlog.testing import capture_logs

from artifacts.predictions import InvalidPredictions
from serve.inference.model_errors import LOG_EVERY_S, ModelErrors, line_of
from tests.support.misbehaving_models import SECRET


def test_a_version_is_logged_once_a_minute() -> None:
    """Each version is logged separately, and again a minute later; every call is counted."""
    now = [0.0]
    counted: list[tuple[str, int]] = []
    errors = ModelErrors(lambda model, version: counted.append((model, version)), clock=lambda: now[0])

    with capture_logs() as lines:
        for at, version in [(0, 1), (1, 1), (2, 2), (LOG_EVERY_S - 1, 1), (LOG_EVERY_S, 1), (LOG_EVERY_S + 3, 2)]:
            now[0] = float(at)
            errors.record("iris", version, ValueError(SECRET))

    assert [line["version"] for line in lines] == [1, 2, 1, 2]
    assert SECRET not in str(lines)
    assert counted.count(("iris", 1)) == 4


def test_the_reason_of_invalid_predictions_is_logged() -> None:
    """Their message is the project's own, unlike that of other exceptions."""
    errors = ModelErrors(lambda _model, _version: None)

    with capture_logs() as lines:
        errors.record("iris", 1, InvalidPredictions("predict returned 2 values"))
        errors.record("rose", 1, ValueError(SECRET))

    assert [(line["error"], line.get("reason"), line.get("line")) for line in lines] == [
        ("InvalidPredictions", "predict returned 2 values", None),
        ("ValueError", None, ""),
    ]


def test_the_line_of_an_error_is_in_the_publishers_code() -> None:
    """Frames of libraries and of the project are skipped if one of the publisher's code is above them."""
    library = "import numpy as np\ndef call(f):\n    return np.apply_along_axis(f, 0, np.ones(2))\n"
    space: dict[str, object] = {}
    exec(compile(library, "own_features.py", "exec"), space)  # code in a file of its own

    with pytest.raises(ZeroDivisionError) as own:
        space["call"](lambda _: 1 / 0)  # type: ignore[operator]  # what exec made is an object to mypy
    with pytest.raises(ValueError, match="reshape") as foreign:
        np.linalg.inv(np.ones((2, 2)).reshape(3))

    assert line_of(own.value).startswith(f"{__file__}:")
    assert line_of(foreign.value).startswith(f"{__file__}:")


def test_the_line_of_a_wrapped_error_is_that_of_its_cause() -> None:
    """If only the project's own frames are in the traceback, its cause is searched."""
    with pytest.raises(ValueError, match="parse") as cause:
        raise ValueError("cannot parse")
    wrapper = InvalidPredictions("predict failed")
    wrapper.__cause__ = cause.value

    assert line_of(wrapper) == line_of(cause.value)
