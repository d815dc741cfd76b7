"""The fake site folder, for the tests of observers."""

from fake_distributions import site as site  # noqa: PLC0414 - a fixture is found by its name here
