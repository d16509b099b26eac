"""Chain snapshots: what chain and ledger held at one finalized block, signed, in a file a day.

They have nothing to do with the engine's snapshots, which are its memory for a quick start.
"""
