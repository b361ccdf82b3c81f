"""Measurements that take minutes: never part of the tests, the same script everywhere."""
