"""`portal bench`: what this machine does, measured from outside with a database of its own.

Every bench starts the PostgreSQL and the engine that it needs, prints one JSON line a result and
leaves nothing behind. `docs/benchmarks.md` tells the method.
"""
