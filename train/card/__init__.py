"""The model card: one HTML file with the facts, plots and limits of a version."""

from train.card.page import writer

__all__ = ["writer"]
