"""Limits on the requests and rows of each caller."""
