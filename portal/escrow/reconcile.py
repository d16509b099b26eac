"""Does the chain hold what the ledger says? Read-only; used by `portal audit verify`.

Both are compared as of the block up to which deposits are booked. Trades that are ahead on one
side (a payout mined but not yet booked, or the reverse) are taken into account, not reported.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from eth_utils.address import to_checksum_address
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.core.errors import PortalError
from portal.core.settings import Settings
from portal.escrow.chain.client import chain_client
from portal.escrow.chain.deposits import cursor_block
from portal.escrow.chain.vaults import vault_owners
from portal.escrow.contract import EscrowContract
from portal.escrow.deployment import Deployment, find_deployment
from portal.escrow.models import EscrowRecord
from portal.escrow.rules import Status
from portal.ledger.models import Account
from portal.trades.models import Trade
from portal.trades.rules import payout

IN_VAULT = ("available", "held")
_INSIDE = (Status.OPEN, Status.PAID)


@dataclass(frozen=True)
class OnChain:
    """A trade's escrow on chain at the block of comparison."""

    status: Status
    to_buyer: int | None = None


@dataclass(frozen=True)
class Difference:
    """Something that ledger and chain do not agree about.

    `place` is where, `units` by how much the chain has more (fewer: negative), `text` a sentence.
    """

    asset: str
    place: str
    units: int
    text: str


def chain_balance_differences(settings: Settings, session: Session) -> Iterable[str]:
    """Every difference between ledger and chain as a sentence; none when all is in order."""
    try:
        return [difference.text for difference in token_differences(settings, session)]
    except PortalError as error:
        return [f"the chain could not be compared: {error.message}"]


def token_differences(
    settings: Settings, session: Session, since_ms: int | None = None
) -> list[Difference]:
    """Every difference; with `since_ms` trades that ended before it are taken to be in order.

    Raises Unavailable when no node answers.
    """
    deployment, block = find_deployment(session), cursor_block(session)
    if deployment is None or block is None:
        return []
    escrow = EscrowContract(chain_client(settings), deployment)
    return list(_Comparison(session, escrow, deployment, block, since_ms).differences())


class _Comparison:
    def __init__(
        self,
        session: Session,
        escrow: EscrowContract,
        deployment: Deployment,
        block: int,
        since_ms: int | None,
    ) -> None:
        self._session = session
        self._escrow = escrow
        self._deployment = deployment
        self._block = block
        self._since_ms = since_ms
        self._closings = escrow.closings() if since_ms is None else None
        # What the ledger still has to book, per (user, asset), and what the escrow must hold.
        self._ahead: dict[tuple[int, str], int] = defaultdict(int)
        self._locked: dict[str, int] = defaultdict(int)

    def differences(self) -> Iterable[Difference]:
        """Trades first: they say by how much vaults and ledger may rightly differ."""
        query = (
            select(Trade, EscrowRecord)
            .join(EscrowRecord, EscrowRecord.trade_id == Trade.id)
            .where(Trade.escrow == "evm")
            .order_by(Trade.id)
        )
        if self._since_ms is not None:
            query = query.where(~Trade.closed | (Trade.updated_ms >= self._since_ms))
        for trade, escrow in self._session.execute(query):
            yield from self._trade(trade, str(escrow.escrow_id))
        yield from self._vaults()
        yield from self._pot()

    def _trade(self, trade: Trade, escrow_id: str) -> Iterable[Difference]:
        found = self._on_chain(escrow_id)
        if found.status in _INSIDE:
            self._locked[trade.base] += trade.escrow_units
        if trade.locked and self._escrow.status(escrow_id) is Status.NONE:
            yield _about(trade, "locked in the ledger, unknown on chain")
        if trade.settled and self._escrow.status(escrow_id) is not Status.CLOSED:
            yield _about(trade, "settled in the ledger, open on chain")
        if found.to_buyer is not None and trade.settled and found.to_buyer != trade.to_buyer:
            shares = f"the chain gave the buyer {found.to_buyer}, the ledger {trade.to_buyer}"
            yield _about(trade, shares)
        self._note(trade, _moved(trade, found), 1)
        self._note(trade, _moved(trade, _in_ledger(trade)), -1)

    def _note(self, trade: Trade, moved: tuple[int, int], sign: int) -> None:
        self._ahead[trade.seller_id, trade.base] += sign * moved[0]
        self._ahead[trade.buyer_id, trade.base] += sign * moved[1]

    def _on_chain(self, escrow_id: str) -> OnChain:
        status = self._escrow.status(escrow_id, self._block)
        if status is not Status.CLOSED:
            return OnChain(status)
        closing = (
            self._escrow.closing(escrow_id)
            if self._closings is None
            else self._closings.get(escrow_id)
        )
        return OnChain(status, None if closing is None else closing.to_buyer)

    def _vaults(self) -> Iterable[Difference]:
        for vault, owner in vault_owners(self._session, self._deployment).items():
            for asset, token in self._deployment.tokens.items():
                booked = self._booked(owner, asset) + self._ahead[owner, asset]
                held = self._escrow.client.balance_of(
                    token, to_checksum_address(vault), self._block
                )
                if booked != held:
                    text = (
                        f"user {owner}: the vault {vault} holds {held} units of {asset}, "
                        f"the ledger says {booked}"
                    )
                    yield Difference(asset, f"vault {vault}", held - booked, text)

    def _booked(self, owner: int, asset: str) -> int:
        total = self._session.scalar(
            select(func.coalesce(func.sum(Account.balance), 0)).where(
                Account.owner_id == owner, Account.asset == asset, Account.kind.in_(IN_VAULT)
            )
        )
        return int(total or 0)

    def _pot(self) -> Iterable[Difference]:
        for asset, token in self._deployment.tokens.items():
            held = self._escrow.client.balance_of(token, self._deployment.escrow, self._block)
            if held < self._locked[asset]:
                text = (
                    f"the escrow contract holds {held} units of {asset}, "
                    f"open trades need {self._locked[asset]}"
                )
                yield Difference(asset, "escrow", held - self._locked[asset], text)


def _about(trade: Trade, what: str) -> Difference:
    return Difference(trade.base, f"trade {trade.id}", 0, f"trade {trade.id}: {what}")


def _in_ledger(trade: Trade) -> OnChain:
    """The ledger's view in the chain's words."""
    if trade.settled:
        return OnChain(Status.CLOSED, trade.to_buyer)
    return OnChain(Status.OPEN if trade.locked else Status.NONE)


def _moved(trade: Trade, state: OnChain) -> tuple[int, int]:
    """What a trade has moved in the seller's and the buyer's vault by the time of `state`."""
    if state.status is Status.NONE:
        return 0, 0
    if state.status is not Status.CLOSED or state.to_buyer is None:
        return -trade.escrow_units, 0
    fee = trade.buyer_fee + trade.seller_fee
    to_buyer, _, to_seller = payout(trade.escrow_units, fee, state.to_buyer)
    return to_seller - trade.escrow_units, to_buyer
