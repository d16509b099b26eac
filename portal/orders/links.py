"""The secret of a private offer."""

from portal.core.sealed import Sealer

_LENGTH = 32


def offer_link(sealer: Sealer, key: str) -> str:
    """128 bits that only the portal can make, from the key that its order is placed with.

    Not drawn at random: a retry with the same key must be the same command.
    """
    return sealer.blind_index(key, "order|link")[:_LENGTH]
