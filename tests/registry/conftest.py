"""The fake site folder, for every test of the registry."""

from fake_distributions import site as site  # noqa: PLC0414 - a fixture is found by its name here
