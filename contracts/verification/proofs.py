"""Symbolic proofs: each `check_x` must hold, and its twin `twin_x` must have a counterexample.

A twin is the proof with one assumption dropped or one claim made too strong. It fails when the
harness reaches the code that the proof is about, so a proof cannot pass by looking at nothing.
"""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from tools import CONTRACTS, results_file, run, table

PASSED, COUNTEREXAMPLE = 0, 1
OUTCOMES = {0: "holds", 1: "counterexample", 2: "timeout", 3: "stuck", 4: "all paths revert"}
FEWEST = 12
BUILD = CONTRACTS / "out" / "proofs"
HALMOS = Path(sys.executable).parent / "halmos"


def halmos(report: Path, only: str) -> dict[str, Any]:
    """What halmos says of each proof and twin that matches, by "Contract.function"."""
    report.unlink(missing_ok=True)
    done = run(
        HALMOS, "--root", ".", "--forge-build-out", BUILD, "--match-contract", "Proofs$",
        "--match-test", f"^(check|twin)_.*{only}", "--solver-timeout-assertion", "60s",
        "--loop", "8", "--early-exit", "--no-status", "--json-output", report, profile="proofs",
    )  # fmt: skip
    if not report.exists():
        raise SystemExit(f"halmos gave no report:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    results = json.loads(report.read_text())["test_results"]
    return {
        f"{contract.split(':')[-1]}.{test['name'].split('(')[0]}": test
        for contract, tests in results.items()
        for test in tests
    }


def main(only: str = "") -> int:
    """Prove everything, or what contains `only`; 1 if a proof or a twin is not as it must be."""
    began = time.monotonic()
    shutil.rmtree(BUILD, ignore_errors=True)
    results = halmos(results_file("proofs.json"), only)
    proofs = {name: test for name, test in results.items() if ".check_" in name}
    twins = {name: test for name, test in results.items() if ".twin_" in name}
    rows, wrong = [("proof", "outcome", "paths", "seconds", "twin", "seconds")], []
    for name, proof in proofs.items():
        twin = twins.pop(name.replace(".check_", ".twin_"), None)
        outcomes = proof["exitcode"], twin["exitcode"] if twin else None
        if outcomes != (PASSED, COUNTEREXAMPLE) or proof["num_bounded_loops"]:
            wrong.append(name)
        paths = str(proof["num_paths"][0])
        rows.append((name, _told(proof), paths, _seconds(proof), _told(twin), _seconds(twin)))
    print(table(rows))
    print(f"{len(proofs)} proofs with twins in {time.monotonic() - began:.0f} s")
    for name in [*wrong, *twins]:
        print(f"NOT PROVED: {name}")
    return 1 if wrong or twins or (not only and len(proofs) < FEWEST) else 0


def _told(test: dict[str, Any] | None) -> str:
    if test is None:
        return "missing"
    bounded = " (loop bound reached)" if test["num_bounded_loops"] else ""
    return OUTCOMES.get(test["exitcode"], f"error {test['exitcode']}") + bounded


def _seconds(test: dict[str, Any] | None) -> str:
    return f"{test['time'][0]:.1f}" if test else ""


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
