"""New accounts and transfers as COPY.

Compiled by mypyc where a C compiler is there, with the same results.
"""

from typing import Final

from portal.engine.accounts import AccountState
from portal.engine.copying.texts import Texts, escaped, number, statement, text, whole
from portal.engine.rows import TransferRow
from portal.engine.store import Copy
from portal.ledger.rules import AccountKey

TRANSFER_COLUMNS: Final = ("shard", *TransferRow._fields)
ACCOUNT_COLUMNS: Final = ("shard", *AccountKey._fields, "id", "balance")


def transfer_copy(shard: str, transfers: list[TransferRow]) -> Copy:
    """Transfers of money."""
    texts, first = Texts(), escaped(shard)
    lines = []
    for transfer in transfers:
        lines.append(
            f"{first}\t{transfer.id}\t{transfer.seq}\t{texts.time(transfer.at_ms)}"
            f"\t{texts.known(transfer.kind)}\t{transfer.from_id}\t{transfer.to_id}"
            f"\t{transfer.amount}\t{transfer.from_after}\t{transfer.to_after}"
            f"\t{number(transfer.order_id)}\t{number(transfer.trade_id)}"
            f"\t{text(transfer.reference)}"
        )
    return _TRANSFERS, whole(lines)


def account_copy(shard: str, accounts: list[tuple[AccountKey, AccountState]]) -> Copy:
    """New accounts."""
    first, lines = escaped(shard), []
    for key, account in accounts:
        owner, asset, kind = key
        lines.append(
            f"{first}\t{owner}\t{escaped(asset)}\t{escaped(kind)}\t{account.id}\t{account.balance}"
        )
    return _ACCOUNTS, whole(lines)


_ACCOUNTS: Final = statement("account", ACCOUNT_COLUMNS)
_TRANSFERS: Final = statement("transfer", TRANSFER_COLUMNS)
