"""Why a model stays with scikit-learn."""


class NotLowered(Exception):
    """There is no exact replay of a part of the model; the message names it."""
