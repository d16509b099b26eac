"""`portal engine` as the crash tests start it: with a clock that they set, and never orphaned.

Each line of standard input is how far the clock is off from now on, in milliseconds; its end,
which is also the end of the test that holds the other side, ends the process at once.
"""

import os
import sys
import threading
import time

_REAL_NS = time.time_ns
_off_ms = 0


def _shifted_ns() -> int:
    return _REAL_NS() + _off_ms * 1_000_000


def _follow_orders() -> None:
    global _off_ms
    for line in sys.stdin:
        _off_ms = int(line)
        print("clock", _off_ms, flush=True)
    os._exit(1)


if __name__ == "__main__":
    # Whatever reads the time of day reads it from the module, as after a real jump.
    time.time_ns = _shifted_ns
    time.time = lambda: _shifted_ns() / 1e9
    _off_ms = int(sys.argv[1])
    threading.Thread(target=_follow_orders, daemon=True).start()
    from portal.cli import main

    main(["engine"])
