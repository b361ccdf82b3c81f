"""Answers for the models of a store over HTTP."""
