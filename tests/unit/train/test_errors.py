"""The errors of training: their messages and the facts that they carry."""

import pytest

from train.errors import BelowThreshold, ColumnMissing, TooFewRows, TrainError


def test_a_missing_column_is_named_with_the_columns_that_exist() -> None:
    """The message names source, missing and existing columns; without a similar name it has no suggestion."""
    error = ColumnMissing("zzz", "qqq", columns=["length", "width"], source="rows.csv")

    assert str(error) == "rows.csv has no column 'zzz', 'qqq'; it has length, width"
    assert error.names == ("zzz", "qqq")


def test_a_missing_column_has_a_suggestion_if_one_has_a_similar_name() -> None:
    """A misspelt name is followed by the column that is probably meant."""
    error = ColumnMissing("lenght", columns=["length", "width"], source="rows.csv")

    assert str(error).endswith(". Did you mean 'length'?")


@pytest.mark.parametrize(("columns", "is_cut"), [(50, False), (51, True)])
def test_at_most_fifty_columns_are_listed(columns: int, is_cut: bool) -> None:
    """The message about a wide table names the first fifty columns and shows that there are more."""
    message = str(ColumnMissing("?", columns=[f"c{place}" for place in range(columns)], source="wide.csv"))

    assert message.endswith(", ...") == is_cut
    assert "c49" in message
    assert "c50" not in message


def test_too_few_rows_carries_rows_and_folds() -> None:
    """The message and the attributes have the number of rows and of folds."""
    error = TooFewRows(rows=3, folds=5)

    assert (error.rows, error.folds) == (3, 5)
    assert "has 3 rows to learn from, too few for 5 folds" in str(error)


def test_below_threshold_carries_the_score() -> None:
    """The message and the attributes have the score, the value that was reached and the threshold."""
    error = BelowThreshold("accuracy", reached=0.81234, threshold=0.95)

    assert isinstance(error, TrainError)
    assert (error.score, error.reached, error.threshold) == ("accuracy", 0.81234, 0.95)
    assert str(error) == "accuracy on held-back rows is 0.8123, below the recipe's threshold of 0.95"
