"""Branch coverage of `src`, measured by forge on builds made for it (`--ir-minimum`)."""

import sys
from collections import defaultdict
from dataclasses import dataclass, field

from tools import results_file, run, table


@dataclass
class Counts:
    """What the tests reached of one file: hits by line, by function and by branch."""

    lines: dict[str, int] = field(default_factory=dict)
    functions: dict[str, int] = field(default_factory=dict)
    branches: dict[str, int] = field(default_factory=dict)


def read(lcov: str) -> dict[str, Counts]:
    """The counts of each source file, from an lcov report."""
    files: dict[str, Counts] = defaultdict(Counts)
    current = Counts()
    for line in lcov.splitlines():
        kind, _, rest = line.partition(":")
        if kind == "SF":
            current = files[rest]
        elif kind == "DA":
            number, hits = rest.split(",")[:2]
            current.lines[number] = int(hits)
        elif kind == "FNDA":
            hits, name = rest.split(",", 1)
            current.functions[name] = int(hits)
        elif kind == "BRDA":
            place, hits = rest.rsplit(",", 1)
            current.branches[place] = 0 if hits == "-" else int(hits)
    return {name: counts for name, counts in files.items() if name.startswith("src/")}


def share(hits: dict[str, int]) -> str:
    """Reached of all, as "n/m"."""
    return f"{sum(1 for hit in hits.values() if hit)}/{len(hits)}"


def main() -> int:
    """Print a line a file; 1 if a branch or a function of `src` was never taken."""
    report = results_file("coverage.lcov")
    report.unlink(missing_ok=True)
    done = run(
        "forge", "coverage", "--ir-minimum", "--report", "lcov", "--report-file", report,
        profile="coverage",
    )  # fmt: skip
    if not report.exists() or done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:])
        return 1
    files = read(report.read_text())
    rows = [("file", "branches", "functions", "lines")]
    rows += [
        (name, share(counts.branches), share(counts.functions), share(counts.lines))
        for name, counts in sorted(files.items())
    ]
    print(table(rows))
    missed = [
        f"{name} branch {place}"
        for name, counts in files.items()
        for place, hits in {**counts.branches, **counts.functions}.items()
        if not hits
    ]
    for place in missed:
        print(f"NOT TAKEN: {place}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
