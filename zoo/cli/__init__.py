"""What one types: one file a command. Never imports torch at the top."""

from zoo.cli.main import main

__all__ = ["main"]
