"""Breaks the contracts on purpose, one change at a time; the tests must notice every one.

The changes are in mutation/mutants.toml, what killed each is written to mutation/results.md. Each
worker has its own copy of the sources, so nothing here touches the tree, and two runs may go on at
once. A change that does not compile, or whose text is gone from the sources, counts as a failure.
"""

import os
import queue
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired

from tools import CONTRACTS, forge_report, run, table

MUTATION = CONTRACTS / "mutation"
RESULTS = MUTATION / "results.md"
FEWEST = 40
WORKERS = int(os.environ.get("MUTATION_WORKERS", os.cpu_count() or 1))
# Bounds on gas hold for the optimised build only.
UNIT = ("--no-match-path", "test/invariants/**", "--no-match-contract", "GasTest")
INVARIANTS = ("--match-path", "test/invariants/**")


@dataclass(frozen=True)
class Mutant:
    """One change: `find` stands exactly once in `file` and becomes `replace`."""

    id: str
    file: str
    find: str
    replace: str
    breaks: str


@dataclass(frozen=True)
class Outcome:
    """`killed` only if a test failed; `why` names the first test, or what went wrong."""

    mutant: Mutant
    killed: bool
    why: str
    failed: int = 0


def mutants() -> list[Mutant]:
    """The list, in the order of the file."""
    entries = tomllib.loads((MUTATION / "mutants.toml").read_text())["mutant"]
    return [Mutant(**entry) for entry in entries]


def copy_of_contracts(directory: Path) -> Path:
    """A tree that forge can build, with the installed packages linked."""
    tree = Path(tempfile.mkdtemp(dir=directory))
    for name in ("src", "test", "bin"):
        shutil.copytree(CONTRACTS / name, tree / name)
    for name in ("foundry.toml", "package.json"):
        shutil.copy(CONTRACTS / name, tree / name)
    (tree / "node_modules").symlink_to((CONTRACTS / "node_modules").resolve())
    return tree


def failing_tests(tree: Path, *selection: str) -> list[str]:
    """Names of the tests that fail there; raises ValueError if the sources do not compile."""
    done = run("forge", "test", "--json", *selection, profile="mutation", cwd=tree, timeout=900)
    report = forge_report(done.stdout)
    return sorted(
        f"{suite.split(':')[-1]}.{test.split('(')[0]}"
        for suite, results in report.items()
        for test, result in results["test_results"].items()
        if result["status"] == "Failure"
    )


def try_mutant(mutant: Mutant, tree: Path) -> Outcome:
    """Apply the change in this tree, run the tests, take the change back."""
    source = tree / mutant.file
    original = source.read_text()
    if original.count(mutant.find) != 1:
        return Outcome(mutant, False, f"text found {original.count(mutant.find)} times")
    source.write_text(original.replace(mutant.find, mutant.replace))
    try:
        failed = failing_tests(tree, *UNIT) or failing_tests(tree, *INVARIANTS)
    except TimeoutExpired:
        return Outcome(mutant, False, "the tests did not end")
    except ValueError as problem:
        return Outcome(mutant, False, f"does not compile: {problem}")
    finally:
        source.write_text(original)
    return Outcome(mutant, bool(failed), failed[0] if failed else "survived", len(failed))


def try_all(chosen: list[Mutant], say: Callable[[Outcome], None]) -> list[Outcome]:
    """Every mutant on `WORKERS` trees; the unchanged sources must pass first."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as directory:
        first = copy_of_contracts(Path(directory))
        failed = failing_tests(first, *UNIT)
        if failed:
            raise SystemExit(f"the unchanged contracts fail: {', '.join(failed)}")
        trees: queue.Queue[Path] = queue.Queue()
        for number in range(WORKERS):
            trees.put(shutil.copytree(first, Path(directory) / f"tree-{number}", symlinks=True))

        def one(mutant: Mutant) -> Outcome:
            tree = trees.get()
            try:
                outcome = try_mutant(mutant, tree)
            finally:
                trees.put(tree)
            say(outcome)
            return outcome

        with ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(one, chosen))


def write_results(outcomes: list[Outcome]) -> None:
    """Keep the list: what was changed, and the first of the tests that noticed.

    The rows of mutants that were not tried this time stay as they were.
    """
    rows = kept_rows() | {o.mutant.id: row(o) for o in outcomes}
    listed = [rows[mutant.id] for mutant in mutants() if mutant.id in rows]
    killed = sum("**" not in one for one in listed)
    head = [
        "# Mutants of the contracts",
        "",
        "Written by `make verify-contracts`; a mutant that is tried alone changes its own row. The "
        "changes themselves are in `mutants.toml`.",
        "",
        f"{killed} of {len(listed)} killed.",
        "",
        "| mutant | file | what it breaks | killed by | tests that fail |",
        "|---|---|---|---|---|",
    ]
    RESULTS.write_text("\n".join(head + listed) + "\n")


def kept_rows() -> dict[str, str]:
    """The rows of the table as it stands, by mutant."""
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    return {line.split(" ")[1]: line for line in lines if line.startswith("| ")}


def row(outcome: Outcome) -> str:
    """A line of the table; what is in bold was not killed."""
    mutant = outcome.mutant
    why = outcome.why if outcome.killed else f"**{outcome.why}**"
    return (
        f"| {mutant.id} | {Path(mutant.file).name} | {mutant.breaks} | {why} | {outcome.failed} |"
    )


def say(outcome: Outcome) -> None:
    """A line as soon as a mutant is through."""
    word = "killed by" if outcome.killed else "NOT KILLED:"
    print(outcome.mutant.id, word, outcome.why[:300], flush=True)


def main(*only: str) -> int:
    """Try all, or the ids given; 1 if one survives or there are too few."""
    began = time.monotonic()
    listed = mutants()
    chosen = [mutant for mutant in listed if not only or mutant.id in only]
    outcomes = try_all(chosen, say)
    write_results(outcomes)
    killed = sum(outcome.killed for outcome in outcomes)
    print(f"{killed} of {len(outcomes)} mutants killed in {time.monotonic() - began:.0f} s")
    alive = [("survivor", "breaks", "outcome")] + [
        (o.mutant.id, o.mutant.breaks, o.why[:300]) for o in outcomes if not o.killed
    ]
    if len(alive) > 1:
        print(table(alive))
    return 0 if killed == len(outcomes) and (only or killed >= FEWEST) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
