"""The money side of trades: what to pay, bank statements, and which payment belongs to whom."""
