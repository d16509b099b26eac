"""What a trader needs before an order is taken: a wallet, accounts, room. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from portal.core.errors import Conflict, InvalidInput
from portal.orders.draft import LEDGER_METHOD, Draft
from portal.users.payment_accounts import unusable_account

# A buyer reserves nothing: without a bound one person could fill the book.
MOST_OPEN_ORDERS = 200


@dataclass(frozen=True)
class Person:
    """What of a trader an order is held against.

    `accounts` are their live payment accounts, id to method; `open_orders` how many they have.
    """

    has_wallet: bool
    accounts: Mapping[int, str]
    open_orders: int = 0


def check_person(
    person: Person, is_enabled: Callable[[str], bool], draft: Draft, *, new_orders: int = 1
) -> None:
    """Whether a person has what an order needs. `is_enabled` knows the payment methods.

    Raises Conflict without a wallet on a market that needs one, with too many open orders, for a
    method that is switched off; InvalidInput naming `payment_accounts.<method>`.
    """
    if draft.frame.market.escrow == "evm" and not person.has_wallet:
        raise Conflict(
            "Trading on this market needs a wallet.",
            field="wallet",
            hint="Set up your wallet first.",
        )
    if person.open_orders + new_orders > MOST_OPEN_ORDERS:
        raise Conflict(
            f"You have {person.open_orders} open orders; {MOST_OPEN_ORDERS} is the limit.",
            hint="Cancel one first.",
        )
    for method in draft.wanted.methods:
        if method != LEDGER_METHOD:
            _check_method(person, is_enabled, draft, method)
    for method in draft.wanted.payment_accounts.keys() - set(draft.wanted.methods):
        raise InvalidInput(
            "This is not among the order's methods.", field=f"payment_accounts.{method}"
        )


def _check_method(
    person: Person, is_enabled: Callable[[str], bool], draft: Draft, method: str
) -> None:
    field = f"payment_accounts.{method}"
    account = draft.wanted.payment_accounts.get(method)
    if account is None:
        raise InvalidInput(f"Say which of your accounts to use for {method}.", field=field)
    if person.accounts.get(account) != method:
        raise unusable_account(method, account)
    if not is_enabled(method):
        raise Conflict(f"{method} is switched off.", field="methods", value=method)
