"""What every wing stands on: money, clock, errors, settings, database."""
