"""Measurements that take minutes, separate from the tests."""
