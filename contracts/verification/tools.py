"""Where the contracts are and how their tools are started. Standard library only."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

CONTRACTS = Path(__file__).resolve().parent.parent
SOURCES = CONTRACTS / "src"
RESULTS = CONTRACTS / "out" / "verification"


def environment(profile: str = "default") -> dict[str, str]:
    """This process's environment with the pinned forge on PATH and a profile of foundry.toml."""
    path = f"{CONTRACTS / 'node_modules' / '.bin'}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "FOUNDRY_PROFILE": profile, "NO_COLOR": "1"}


def run(
    *command: str | Path, profile: str = "default", cwd: Path = CONTRACTS, timeout: float = 3600
) -> subprocess.CompletedProcess[str]:
    """Run a tool in the contracts' directory and capture what it says."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment(profile),
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def results_file(name: str) -> Path:
    """Where a tool leaves its report; the directory is made."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    return RESULTS / name


def forge_report(text: str) -> dict[str, Any]:
    """The JSON of `forge test --json`, which may follow lines of the compiler."""
    start = re.search(r"^\{", text, re.MULTILINE)
    if start is None:
        raise ValueError(f"forge gave no report: {text[-2000:]}")
    report: dict[str, Any] = json.loads(text[start.start() :])
    return report


def table(rows: list[tuple[str, ...]]) -> str:
    """Rows as aligned columns, the first row as the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
