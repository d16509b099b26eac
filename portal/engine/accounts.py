"""A shard's accounts in memory, found without building a key for each look.

Compiled by mypyc where a C compiler is there, with the same results.
"""

from mypy_extensions import mypyc_attr

from portal.ledger.rules import AVAILABLE, HELD, AccountKey

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


@mypyc_attr(acyclic=True)
class Pockets:
    """An owner's two busy accounts of one asset; None for one that was never used."""

    __slots__ = ("available", "held")

    def __init__(self, available: AccountState | None, held: AccountState | None) -> None:
        self.available = available
        self.held = held


class Accounts:
    """Ways to the accounts of `known`, made as they are first used."""

    __slots__ = ("_known", "_others", "_pockets")

    def __init__(self, known: dict[AccountKey, AccountState]) -> None:
        self._known = known
        self._pockets: dict[str, dict[int, Pockets]] = {}
        self._others: dict[AccountKey, AccountState] = {}

    def pockets(self, owner: int, asset: str) -> Pockets:
        """What an owner has available and what is held of it."""
        owners = self._pockets.get(asset)
        if owners is None:
            owners = self._pockets[asset] = {}
        pockets = owners.get(owner)
        if pockets is None:
            available = self._first(AccountKey(owner, asset, AVAILABLE))
            pockets = Pockets(available, self._first(AccountKey(owner, asset, HELD)))
            owners[owner] = pockets
        return pockets

    def find(self, owner: int, asset: str, kind: str) -> AccountState | None:
        """The account; None when it was never used."""
        if kind == AVAILABLE:
            return self.pockets(owner, asset).available
        if kind == HELD:
            return self.pockets(owner, asset).held
        key = AccountKey(owner, asset, kind)
        account = self._others.get(key)
        if account is None:
            account = self._first(key)
            if account is not None:
                self._others[key] = account
        return account

    def open(self, key: AccountKey, account: AccountState) -> None:
        """Take in a new account, which `find` has not found."""
        self._known[key] = account
        self._first(key)
        if key.kind == AVAILABLE:
            self.pockets(key.owner_id, key.asset).available = account
        elif key.kind == HELD:
            self.pockets(key.owner_id, key.asset).held = account

    def _first(self, key: AccountKey) -> AccountState | None:
        """An account as it is first looked for: no batch of this shard has it yet."""
        account = self._known.get(key)
        if account is not None:
            account.key, account.noted = key, 0
        return account
