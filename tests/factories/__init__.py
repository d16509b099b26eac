"""Valid things in one line."""
