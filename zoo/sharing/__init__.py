"""Trained models as they travel: loading them from anywhere, publishing them, and training them again."""
