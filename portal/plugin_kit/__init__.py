"""The partner kit: making a plugin's package, and checking one that is installed."""
