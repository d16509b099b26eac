"""The read model: offers, depth and track records, kept a moment behind the engine's tables."""
