"""What one types: one file a command. Never imports torch at the top."""
