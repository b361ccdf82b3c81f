"""Why a model is not compiled."""


class NotLowered(Exception):
    """A part of the model has no exact program; the message names it."""
