"""How a statement is refused: whole, with the line."""

from portal.plugin_api import InvalidInput


def refuse(line: int, problem: str) -> InvalidInput:
    """The error to raise for something wrong on `line` of the file."""
    return InvalidInput(
        f"Line {line} of the statement: {problem}.",
        field="statement",
        value=f"line {line}",
        hint="Nothing of this file was imported. Ask your bank for a camt.053 export.",
    )
