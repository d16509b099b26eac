"""What a list holds, whatever the government's format."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ListEntry:
    """Somebody or something on a list.

    Attributes:
        uid: the list's own number.
        kind: the list's own word: Individual, Entity, Vessel, …
        names: the main name first, then every alias.
        addresses: wallet addresses, as the list writes them.
    """

    uid: str
    kind: str
    names: tuple[str, ...]
    addresses: tuple[str, ...] = ()
