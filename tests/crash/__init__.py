"""The engine under faults: real processes, real PostgreSQL on disk with fsync on.

Each round lets clients trade, breaks something at a random moment, lets everything come back
and then compares what the clients were told with what is stored. `make test-crash` runs a
hundred rounds; `CRASH_ROUNDS` and `CRASH_SEED` choose others.
"""
