"""The README's tour, pasted from top to bottom into a shell; and what else it claims."""

import re

import pytest

from tests.pasted import blocks, copy_project, paste, rounded
from tests.server import ROOT

# It trains two models and starts a server twice.
pytestmark = pytest.mark.timeout(300)

README = (ROOT / "README.md").read_text()
TOUR = README.partition("## A five-minute tour")[2].partition("\n## ")[0]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the tour prints."""
    here = tmp_path_factory.mktemp("tour")
    copy_project(here)
    return paste("\n".join(blocks(TOUR, "sh")), here)


@pytest.mark.parametrize("expected", blocks(TOUR, "json") + blocks(TOUR, "csv"))
def test_the_tour_prints_what_it_shows(output: str, expected: str) -> None:
    """Every answer that the README shows is what a reader gets."""
    assert rounded(expected.strip()) in rounded(output)


def test_the_tour_logs_its_user_in_and_lists_its_model(output: str) -> None:
    """The user who was added gets a token of their scopes, and the model that was published is listed."""
    assert '"scope":"batch predict"' in output
    assert "published wine version 1" in output
    assert re.search(r"^wine +1 +champion", output, re.MULTILINE)
