"""A shard's accounts in memory, found without building a key for each look.

Compiled by mypyc where a C compiler is there, with the same results.
"""

from mypy_extensions import mypyc_attr

from portal.ledger.rules import AccountKey

_NOBODY = AccountKey(-1, "", "")


@mypyc_attr(acyclic=True)
class AccountState:
    """An account and its balance in ledger units.

    `key` and `noted` are the shard's: the key is known once the account was used, and `noted` is
    the number of the last batch whose changes have the account.
    """

    __slots__ = ("balance", "id", "key", "noted")

    def __init__(self, id: int, balance: int) -> None:
        self.id = id
        self.balance = balance
        self.key: AccountKey = _NOBODY
        self.noted = 0

    def __reduce__(self) -> tuple[type["AccountState"], tuple[int, int]]:
        """A copy is no shard's yet."""
        return AccountState, (self.id, self.balance)


class Accounts:
    """Ways to the accounts of `known` by kind, asset and owner, made as they are first used."""

    __slots__ = ("_known", "_near")

    def __init__(self, known: dict[AccountKey, AccountState]) -> None:
        self._known = known
        self._near: dict[str, dict[str, dict[int, AccountState]]] = {}

    def find(self, owner: int, asset: str, kind: str) -> AccountState | None:
        """The account; None when it was never used."""
        assets = self._near.get(kind)
        if assets is not None:
            owners = assets.get(asset)
            if owners is not None:
                account = owners.get(owner)
                if account is not None:
                    return account
        key = AccountKey(owner, asset, kind)
        account = self._known.get(key)
        if account is not None:
            self._remember(key, account)
        return account

    def open(self, key: AccountKey, account: AccountState) -> None:
        """Take in a new account."""
        self._known[key] = account
        self._remember(key, account)

    def _remember(self, key: AccountKey, account: AccountState) -> None:
        account.key, account.noted = key, 0
        assets = self._near.setdefault(key.kind, {})
        assets.setdefault(key.asset, {})[key.owner_id] = account
