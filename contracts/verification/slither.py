"""slither over `src`: every finding must be explained in slither.md, and every explanation needed.

A line `| detector | place | why |` of slither.md explains the findings of a detector at a place,
`Contract.function` or `Contract`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tools import CONTRACTS, results_file, run

SLITHER = Path(sys.executable).parent / "slither"


def explained(text: str) -> set[tuple[str, str]]:
    """Detector and place of each row of the table."""
    rows = [[cell.strip(" `") for cell in line.split("|")] for line in text.splitlines()]
    return {
        (row[1], row[2])
        for row in rows
        if len(row) == 5 and row[3] and row[1] != "detector" and not row[1].startswith("-")
    }


def place(finding: dict[str, Any]) -> str:
    """Where a finding is: the function or contract that it names first."""
    for element in finding["elements"]:
        if element["type"] in ("function", "contract"):
            parent = element.get("type_specific_fields", {}).get("parent", {}).get("name")
            inside = f"{parent}." if parent and element["type"] == "function" else ""
            return f"{inside}{element['name']}"
    first = finding["elements"][0] if finding["elements"] else {}
    parent = first.get("type_specific_fields", {}).get("parent", {})
    holder = parent.get("type_specific_fields", {}).get("parent", {}).get("name")
    names = [name for name in (holder, parent.get("name")) if name]
    return ".".join(names) or str(first.get("name", "?"))


def main() -> int:
    """Print what is not explained or no longer found; 1 if there is any."""
    report = results_file("slither.json")
    report.unlink(missing_ok=True)
    done = run(
        SLITHER, ".", "--config-file", "slither.config.json", "--solc", CONTRACTS / "bin" / "solc",
        "--json", report, profile="slither",
    )  # fmt: skip
    if not report.exists():
        print(done.stdout[-3000:], done.stderr[-3000:])
        return 1
    answer = json.loads(report.read_text())
    if not answer["success"]:
        print(answer["error"])
        return 1
    findings = answer["results"].get("detectors", [])
    found = {(finding["check"], place(finding)) for finding in findings}
    known = explained((CONTRACTS / "slither.md").read_text())
    for check, where in sorted(found - known):
        print(f"NOT EXPLAINED: | {check} | {where} |")
    for check, where in sorted(known - found):
        print(f"EXPLAINED BUT NOT FOUND: | {check} | {where} |")
    print(f"{len(findings)} findings at {len(found)} places, {len(known)} explained in slither.md")
    return 0 if found == known else 1


if __name__ == "__main__":
    sys.exit(main())
