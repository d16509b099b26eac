"""The link to the chain: reads, transactions that are sent once, and what came in."""
