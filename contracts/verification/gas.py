"""What each act costs as a transaction of its own, beside the figure to beat.

`test/Gas.t.sol` does the acts; `forge --isolate` makes every call a transaction, intrinsic gas and
calldata included. Prints a table, then the same as JSON lines.
"""

import json
import sys

from tools import forge_report, run, table

# Figures of other escrows' transactions, from ../shared/design/facts-chain.md of the project.
TO_BEAT = {
    "open from a vault": (80_000, "Boltz lock 77,800"),
    "open from a wallet": (80_000, "Boltz lock 77,800"),
    "settle with two signatures": (75_000, "Safe 2-of-3 83,000"),
    "settle, seller calls": (75_000, "Safe 2-of-3 83,000"),
    "batch of 100 releases to as many buyers": (33_000, "LocalEthereum 46,900"),
    "batch of 100 releases to one buyer": (25_000, "LocalEthereum 46,900"),
}


def decode(data: str) -> tuple[str, int]:
    """Act and gas of the event `Gas(string act, uint256 each)`."""
    raw = bytes.fromhex(data.removeprefix("0x"))
    start = int.from_bytes(raw[:32], "big")
    length = int.from_bytes(raw[start : start + 32], "big")
    return raw[start + 32 : start + 32 + length].decode(), int.from_bytes(raw[32:64], "big")


def measured() -> dict[str, int]:
    """Gas by act, in the order of the tests."""
    done = run("forge", "test", "--isolate", "--match-path", "test/Gas.t.sol", "--json", "-vvv")
    tests = [
        test
        for suite in forge_report(done.stdout).values()
        for test in suite["test_results"].values()
    ]
    return dict(decode(log["data"]) for test in tests for log in test["logs"][-1:])


def to_beat(act: str) -> tuple[int, str]:
    """The figure for an act, 0 if there is none, and whose it is nearest to."""
    for name, figure in TO_BEAT.items():
        if act.startswith(name):
            return figure
    return 0, ""


def main() -> int:
    """Print what was measured and where it is short; 1 if nothing was measured."""
    rows, lines = [("act", "gas", "to beat", "", "peer")], []
    for act, gas in sorted(measured().items()):
        most, peer = to_beat(act)
        word = "" if not most else "beats" if gas <= most else f"SHORT by {gas - most:,}"
        rows.append((act, f"{gas:,}", f"{most:,}" if most else "", word, peer))
        figure = {"act": act, "gas": gas, "to_beat": most or None}
        lines.append(json.dumps(figure | {"met": gas <= most if most else None}))
    print(table(rows), *lines, sep="\n")
    return 0 if lines else 1


if __name__ == "__main__":
    sys.exit(main())
