"""Finding, checking, switching and guarding plugins; their settings."""
