"""`python -m plugins.compliance.dated_packs DAY`: what begins and ends on a day (2026-02-02)."""

import sys
from datetime import date

from plugins.compliance.dated_packs.changes import changes_on, days_of_change
from plugins.compliance.dated_packs.loading import bundled


def main(words: list[str]) -> int:
    """Print a line for each rule that is another on that day than before."""
    try:
        (day,) = [date.fromisoformat(word) for word in words]
    except ValueError:
        sys.stderr.write("Name one day, like 2026-02-02.\n")
        return 2
    for change in changes_on(bundled().values(), day):
        sys.stdout.write(f"{change.pack} {change.rule} {change.what} ({change.source})\n")
    later = [one.isoformat() for one in days_of_change(bundled().values()) if one > day]
    sys.stdout.write(f"Next change: {later[0] if later else 'none is known'}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
