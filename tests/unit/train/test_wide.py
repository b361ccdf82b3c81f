"""Publishing a table of few rows and many columns takes little memory."""

from benchmarks.wide_tables import measure


def test_a_thousand_columns_are_published_in_half_a_gibibyte() -> None:
    """Every program is compared with the estimator all the same; the time is measured by the benchmark."""
    cost = measure(1_000)

    assert cost["mib"] <= 512
    assert cost["executed"] == [["sklearn", "", 0], ["trees", "", 0], ["treelite", "", 0]]
