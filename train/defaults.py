"""The pipeline for a table that nobody has written a recipe for."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from train.admission import Task
from train.fit import SEED
from train.tables import kind_of

# Up to so many rows a line helps the trees; of more rows they learn by themselves what it knows.
FEW_ROWS = 2_000
# A text becomes so many numbers, by way of so many counts of its parts of three and four letters.
TEXT_NUMBERS = 30
TEXT_PARTS = 2**12
PENALTIES = tuple(10.0**power for power in range(-2, 4))


def pipeline(task: Task, X: pd.DataFrame) -> Pipeline:
    """
    An unfitted model for these columns, which takes nulls and unknown categories in all of them.

    Boosted trees; on a small table also a linear model, and the answers of the two averaged: there they are better
    together than either, and their probabilities far better than those of trees. The figures stand in
    docs/decisions/0007-default-pipeline.md.

    Args:
        task: What it shall do.
        X: The rows that it will learn from: numbers, booleans and texts.
    """
    kinds = {str(name): kind_of(values) for name, values in X.items()}
    numbers, texts = ([name for name, kind in kinds.items() if kind == wanted] for wanted in ("number", "text"))
    categories = [name for name, kind in kinds.items() if kind in {"category", "boolean"}]
    columns = ColumnTransformer(
        [
            ("categories", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), categories),
            *[(f"text {name}", _text(), [name]) for name in texts],
            # Trees would take the nulls, but fail where a fold has no value of a column at all.
            ("numbers", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), numbers),
        ],
        sparse_threshold=0,
    )
    # Of the columns that come to the model, the first are codes of categories.
    codes = list(range(len(categories)))
    return make_pipeline(columns, _trees(task, codes) if len(X) > FEW_ROWS else _average(task, codes))


def _trees(task: Task, codes: list[int]) -> Any:
    # Early stopping would hold rows back once more, and fails where one of them is the only one of its class.
    chosen: dict[str, Any] = {"categorical_features": codes, "early_stopping": False, "random_state": SEED}
    if task == "regression":
        return HistGradientBoostingRegressor(**chosen)
    return HistGradientBoostingClassifier(**chosen)


def _average(task: Task, codes: list[int]) -> Any:
    one_hot = ColumnTransformer(
        [("categories", OneHotEncoder(handle_unknown="ignore"), codes)], remainder=StandardScaler()
    )
    if task == "regression":
        return VotingRegressor([("trees", _trees(task, codes)), ("line", make_pipeline(one_hot, RidgeCV(PENALTIES)))])
    line = make_pipeline(one_hot, LogisticRegression(max_iter=1000))
    return VotingClassifier([("trees", _trees(task, codes)), ("line", line)], voting="soft")


def _text() -> Pipeline:
    """Few numbers that say which texts are alike; spelling mistakes and any language are fine."""
    return make_pipeline(
        SimpleImputer(strategy="constant", fill_value="", keep_empty_features=True),
        # The vectorizer takes one list of texts, and no table of one column.
        FunctionTransformer(np.ravel),
        # Hashed, no vocabulary can be empty, and no new word can be unknown.
        HashingVectorizer(analyzer="char_wb", ngram_range=(3, 4), n_features=TEXT_PARTS),
        TfidfTransformer(),
        TruncatedSVD(TEXT_NUMBERS, random_state=SEED),
    )
