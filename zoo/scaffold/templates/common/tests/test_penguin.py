"""The plugin keeps zoo's contract."""

import zoo.testing


class TestPenguin(zoo.testing.PluginContract):
    """Every entry of the plugin goes through every check of its kind."""

    plugin = "penguin"
