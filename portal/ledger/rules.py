"""Posting rules: from which account to which each kind of happening moves how much. Pure.

Those of what orders hold and of markets that settle at once are in the engine's `posting`.
Money only ever moves from one account to another, so everything sums to zero by construction.
"""

from typing import Final, NamedTuple

PLATFORM: Final = 0
AVAILABLE: Final = "available"
HELD: Final = "held"
ESCROW: Final = "escrow"
FEE_INCOME: Final = "fee_income"
OUTSIDE: Final = "outside"


class AccountKey(NamedTuple):
    """Whose pocket of which kind, for which asset."""

    owner_id: int
    asset: str
    kind: str


Move = tuple[AccountKey, AccountKey, int]


def deposit(owner: int, asset: str, units: int) -> Move:
    """Coins came in from outside."""
    return AccountKey(PLATFORM, asset, OUTSIDE), AccountKey(owner, asset, AVAILABLE), units


def withdraw(owner: int, asset: str, units: int) -> Move:
    """Coins left to the outside."""
    return AccountKey(owner, asset, AVAILABLE), AccountKey(PLATFORM, asset, OUTSIDE), units


def lock(seller: int, asset: str, units: int) -> Move:
    """Escrow takes its part of what a trade reserved."""
    return AccountKey(seller, asset, HELD), AccountKey(seller, asset, ESCROW), units


def settle(buyer: int, seller: int, asset: str, parts: tuple[int, int, int]) -> list[Move]:
    """Escrow pays out: `parts` are what the buyer, the platform and the seller get."""
    escrow = AccountKey(seller, asset, ESCROW)
    targets = (
        AccountKey(buyer, asset, AVAILABLE),
        AccountKey(PLATFORM, asset, FEE_INCOME),
        AccountKey(seller, asset, AVAILABLE),
    )
    return [(escrow, target, units) for target, units in zip(targets, parts, strict=True) if units]
