"""The default pipeline, for a table without a recipe."""

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
from train.tables import column_kind

# Up to so many rows, averaging with a linear model improves boosted trees.
FEW_ROWS = 2_000
# A text becomes so many numbers, reduced from so many counts of character 3- and 4-grams.
TEXT_NUMBERS = 30
TEXT_PARTS = 2**12
PENALTIES = tuple(10.0**power for power in range(-2, 4))


def pipeline(task: Task, X: pd.DataFrame) -> Pipeline:
    """
    Return an unfitted model for these columns, which accepts nulls and unknown categories in all of them.

    Boosted trees; on a small table averaged with a linear model: there the average is better than either, and its
    probabilities are far better than those of trees. docs/decisions/0007-default-pipeline.md has the figures.

    Args:
        task: Classification or regression.
        X: The rows that it will be fitted on: numbers, booleans and texts.
    """
    kinds = {str(name): column_kind(values) for name, values in X.items()}
    numbers, texts = ([name for name, kind in kinds.items() if kind == wanted] for wanted in ("number", "text"))
    categories = [name for name, kind in kinds.items() if kind in {"category", "boolean"}]
    columns = ColumnTransformer(
        [
            ("categories", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), categories),
            *[(f"text {name}", _text(), [name]) for name in texts],
            # Trees accept nulls, but fail if a fold has no value of a column at all.
            ("numbers", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), numbers),
        ],
        sparse_threshold=0,
    )
    # The first columns of the model's input are codes of categories.
    codes = list(range(len(categories)))
    return make_pipeline(columns, _trees(task, codes) if len(X) > FEW_ROWS else _average(task, codes))


def _trees(task: Task, codes: list[int]) -> Any:
    # Early stopping would hold back more rows, and fails if one of them is the only one of its class.
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
    """Return a pipeline from texts to few numbers that reflect their similarity, in any language, despite typos."""
    return make_pipeline(
        SimpleImputer(strategy="constant", fill_value="", keep_empty_features=True),
        # The vectorizer needs a list of texts, not a table of one column.
        FunctionTransformer(np.ravel),
        # With hashing there is no vocabulary, which could be empty or lack a word.
        HashingVectorizer(analyzer="char_wb", ngram_range=(3, 4), n_features=TEXT_PARTS),
        TfidfTransformer(),
        TruncatedSVD(TEXT_NUMBERS, random_state=SEED),
    )
