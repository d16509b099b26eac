"""What stops payouts of a coin, to everybody or to one person, until the cause is gone."""
