"""A function of the notebook's own: it is in a file, so that it is published with the model."""

import pandas as pd


def add_ratio(X: pd.DataFrame) -> pd.DataFrame:
    """Add the proline for each per cent of alcohol, a null where one of them is null."""
    return X.assign(ratio=X["proline"] / X["alcohol"])
