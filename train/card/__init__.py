"""The model card: one HTML file beside a version, its plots and its words."""

from train.card.page import writer

__all__ = ["writer"]
