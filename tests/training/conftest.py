"""Runs are tested here too, so they share the quick run store."""

from tests.runs.conftest import empty_database, home

__all__ = ["empty_database", "home"]
