"""Posting rules: which accounts each kind of happening moves, and by how much. Pure.

Every function returns lines that sum to zero for the asset.
"""

from dataclasses import dataclass

PLATFORM = 0
AVAILABLE, HELD, ESCROW = "available", "held", "escrow"
FEE_INCOME, OUTSIDE = "fee_income", "outside"


@dataclass(frozen=True, slots=True, order=True)
class AccountKey:
    """Whose pocket of which kind, for which asset."""

    owner_id: int
    asset: str
    kind: str


Line = tuple[AccountKey, int]


def deposit(owner: int, asset: str, units: int) -> list[Line]:
    """Coins came in from outside."""
    return _move(AccountKey(PLATFORM, asset, OUTSIDE), AccountKey(owner, asset, AVAILABLE), units)


def withdraw(owner: int, asset: str, units: int) -> list[Line]:
    """Coins left to the outside."""
    return _move(AccountKey(owner, asset, AVAILABLE), AccountKey(PLATFORM, asset, OUTSIDE), units)


def hold(owner: int, asset: str, units: int) -> list[Line]:
    """An order sets coins aside."""
    return _move(AccountKey(owner, asset, AVAILABLE), AccountKey(owner, asset, HELD), units)


def unhold(owner: int, asset: str, units: int) -> list[Line]:
    """An order or an unlocked trade gives coins back."""
    return _move(AccountKey(owner, asset, HELD), AccountKey(owner, asset, AVAILABLE), units)


def lock(seller: int, asset: str, reserved: int, escrow_units: int) -> list[Line]:
    """Escrow takes its part of what a trade reserved; the rest is the seller's again."""
    lines = _move(AccountKey(seller, asset, HELD), AccountKey(seller, asset, ESCROW), escrow_units)
    if reserved > escrow_units:
        lines += unhold(seller, asset, reserved - escrow_units)
    return lines


def settle(buyer: int, seller: int, asset: str, parts: tuple[int, int, int]) -> list[Line]:
    """Escrow pays out: `parts` are what the buyer, the platform and the seller get."""
    to_buyer, fee, to_seller = parts
    lines: list[Line] = [(AccountKey(seller, asset, ESCROW), -sum(parts))]
    for key, units in (
        (AccountKey(buyer, asset, AVAILABLE), to_buyer),
        (AccountKey(PLATFORM, asset, FEE_INCOME), fee),
        (AccountKey(seller, asset, AVAILABLE), to_seller),
    ):
        if units:
            lines.append((key, units))
    return lines


def sums_to_zero(lines: list[Line]) -> bool:
    """Whether the lines balance for every asset."""
    totals: dict[str, int] = {}
    for key, amount in lines:
        totals[key.asset] = totals.get(key.asset, 0) + amount
    return not any(totals.values())


def _move(source: AccountKey, target: AccountKey, units: int) -> list[Line]:
    return [(source, -units), (target, units)]
