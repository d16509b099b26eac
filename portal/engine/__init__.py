"""The engine: one writer per shard. Commands in; orders, trades, balances and events out."""
