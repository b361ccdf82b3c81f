"""The arguments of `publish` are checked when the request is created."""

from dataclasses import MISSING, fields
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from artifacts import Store
from train.errors import NotPublishable
from train.publishing import publish
from train.request import PublishRequest


def request(store: Store, **changes: Any) -> PublishRequest:
    """Return a request with the defaults of `publish`."""
    defaults = {name: each.default for name, each in signature(publish).parameters.items()}
    return PublishRequest(**{**defaults, "estimator": None, "X": None, "name": "tiny", "store": store, **changes})


def test_a_request_has_the_parameters_of_publish(tmp_path: Path) -> None:
    """Each parameter is a field without a default of its own, so that the defaults are those of `publish`."""
    assert [each.name for each in fields(PublishRequest)] == list(signature(publish).parameters)
    assert all(each.default is MISSING for each in fields(PublishRequest))
    assert request(Store(tmp_path)).unknown == "refuse"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tolerance": -1.0}, "tolerance must be a finite number, 0 or more, and is -1.0"),
        ({"tolerance": float("inf")}, "tolerance must be a finite number"),
        ({"unknown": "maybe"}, "unknown must be one of refuse, pass, and is 'maybe'"),
        ({"csv_nulls": "NA"}, "csv_nulls must be a list of texts"),
        ({"csv_nulls": [-999]}, "csv_nulls must be a list of texts"),
    ],
)
def test_invalid_options_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """The message has the option and what it must be."""
    with pytest.raises(NotPublishable, match=message):
        request(Store(tmp_path), **changes)
