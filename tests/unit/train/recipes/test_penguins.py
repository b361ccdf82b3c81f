"""The penguins recipe: its table with nulls, and an estimator that fits it."""

from train.recipes import penguins


def test_only_na_is_null_in_the_table() -> None:
    """The table has 344 rows without the species; 11 rows lack the sex and 2 the measures."""
    X, y = penguins.load()

    assert X.shape == (344, 7)
    assert "species" not in X
    assert sorted(set(y)) == ["Adelie", "Chinstrap", "Gentoo"]
    assert X.isna().sum().to_dict() == {
        "island": 0,
        "bill_length_mm": 2,
        "bill_depth_mm": 2,
        "flipper_length_mm": 2,
        "body_mass_g": 2,
        "sex": 11,
        "year": 0,
    }


def test_the_estimator_accepts_nulls_in_texts_and_numbers() -> None:
    """A fitted estimator predicts the rows with nulls and gives the same predictions if it is fitted again."""
    X, y = penguins.load()
    holed = X[X.isna().any(axis=1)]

    first, second = (
        penguins.estimator().set_params(randomforestclassifier__n_estimators=5).fit(X, y).predict(holed)
        for _ in range(2)
    )

    assert len(first) == 11
    assert set(first) <= set(y)
    assert first.tolist() == second.tolist()


def test_the_recipe_names_the_null_of_its_file() -> None:
    """Callers may send the NA of the file as null, since a server must accept the recipe's own CSV."""
    assert penguins.RECIPE.name == "penguins"
    assert penguins.RECIPE.csv_nulls == ("NA",)
    assert penguins.RECIPE.load is penguins.load
