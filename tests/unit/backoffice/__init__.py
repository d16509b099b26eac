"""The back office without a database."""
