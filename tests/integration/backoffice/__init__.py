"""The back office against a real database."""
