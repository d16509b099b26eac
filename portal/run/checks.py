"""One line of `portal doctor`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """What was looked at, whether it is good, and a sentence about it."""

    about: str
    good: bool
    said: str
