"""Where a trade's coins are locked: in the ledger alone, or in the contract on chain.

A backend looks at a trade as it stands and answers with commands for the engine that are due at
once; what takes longer it leaves behind as intents.
"""

from typing import Any, Protocol

from sqlalchemy.orm import Session

from portal.core.clock import now_ms
from portal.core.settings import Settings
from portal.escrow import contract, typed_data
from portal.escrow.chain.intents import queue_intent
from portal.escrow.deployment import Deployment, fee_address, find_deployment
from portal.escrow.models import EscrowRecord, EscrowSignature
from portal.escrow.rules import (
    ARBITER,
    BUYER,
    SELLER,
    Act,
    needed_acts,
    salt,
    settle_signers,
    urgent_from,
)
from portal.escrow.signatures import CANCEL, MARK_PAID, SETTLE, signed_of, stored_signatures
from portal.escrow.signers.chosen import arbiter
from portal.markets.models import Market
from portal.orders.models import OrderAuthority
from portal.trades.models import Trade
from portal.trades.rules import State
from portal.users.models import User

Command = dict[str, Any]
Kept = dict[tuple[str, str], EscrowSignature]
AUTHORITY_FIELDS = dict(typed_data.STRUCTS["OrderAuthority"]).keys()
_OVER = frozenset(
    {
        State.RELEASED,
        State.CANCELLED,
        State.EXPIRED,
        State.RESOLVED_BUYER,
        State.RESOLVED_SELLER,
        State.RESOLVED_SPLIT,
    }
)


class EscrowBackend(Protocol):
    """Locks and pays out."""

    name: str

    def advance(self, session: Session, trade: Trade) -> list[Command]:
        """Do what the trade's state calls for; doing it twice changes nothing."""
        ...


def escrow_locked(trade_id: int, reference: str, pay_until_ms: int | None = None) -> Command:
    """The command that tells the engine that the coins are locked."""
    key = f"escrow:{trade_id}:locked"
    told = {"kind": "escrow_locked", "trade_id": trade_id, "reference": reference, "key": key}
    return told if pay_until_ms is None else {**told, "pay_until_ms": pay_until_ms}


def lock_failed(trade_id: int, reason: str) -> Command:
    """The command that tells the engine that the coins can't be locked."""
    key = f"escrow:{trade_id}:lock_failed"
    return {"kind": "lock_failed", "trade_id": trade_id, "reason": reason[:500], "key": key}


def settled(trade_id: int, reference: str, to_buyer: int | None = None) -> Command:
    """The command that tells the engine that the escrow has paid out; `to_buyer` is the buyer's
    gross share where the contract's word differs from the decision.
    """
    key = f"escrow:{trade_id}:settled"
    told = {"kind": "settled", "trade_id": trade_id, "reference": reference, "key": key}
    return told if to_buyer is None else {**told, "to_buyer": to_buyer}


def paid_on_chain(trade_id: int) -> Command:
    """The command for a trade that expired here, but that its buyer marked as paid on chain."""
    reason = "The buyer marked the trade as paid on chain, but not here."
    key = f"escrow:{trade_id}:paid_on_chain"
    return {"kind": "dispute", "trade_id": trade_id, "reason": reason, "key": key}


class LedgerBackend:
    """The ledger's escrow account is the escrow: it locks and pays out at once."""

    name = "ledger"

    def advance(self, session: Session, trade: Trade) -> list[Command]:
        """Answer at once."""
        state = State(trade.state)
        if state is State.LOCKING:
            session.merge(_ledger_record(trade.id, "open"))
            return [escrow_locked(trade.id, f"ledger:{trade.id}")]
        if trade.locked and not trade.settled and state in _OVER:
            session.merge(_ledger_record(trade.id, "closed"))
            return [settled(trade.id, f"ledger:{trade.id}")]
        return []


def _ledger_record(trade_id: int, status: str) -> EscrowRecord:
    return EscrowRecord(trade_id=trade_id, backend="ledger", terms={}, status=status)


class EvmBackend:
    """The escrow contract; the platform's relayer pays the gas, the parties sign."""

    name = "evm"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._arbiter = arbiter(settings)

    def advance(self, session: Session, trade: Trade) -> list[Command]:
        """Queue the transactions that the trade's state calls for."""
        deployment = find_deployment(session)
        if deployment is None:
            return _refused(trade, "no escrow contract is set up")
        if State(trade.state) is State.LOCKING:
            return self._open(session, trade, deployment)
        escrow = session.get(EscrowRecord, trade.id)
        if escrow is None or not trade.locked or trade.settled:
            return []
        kept = stored_signatures(session, trade.id)
        for act in needed_acts(State(trade.state), trade.to_buyer, signed_of(kept)):
            self._queue(session, deployment, trade, escrow, act, kept)
        return []

    def _open(self, session: Session, trade: Trade, deployment: Deployment) -> list[Command]:
        authority = session.get(OrderAuthority, trade.authority or "")
        buyer = session.get_one(User, trade.buyer_id).wallet_address
        if authority is None:
            return _refused(trade, "the seller's order was not signed")
        if authority.payload.keys() != AUTHORITY_FIELDS:
            return _refused(
                trade, "the seller's order was signed for another version of the escrow"
            )
        if not buyer:
            return _refused(trade, "the buyer has no wallet")
        if trade.base not in deployment.tokens:
            return _refused(trade, f"{trade.base} has no token contract on this chain")
        escrow = session.get(EscrowRecord, trade.id)
        if escrow is None:
            terms = self._terms(session, trade, deployment, authority.payload, str(buyer))
            escrow = _new_record(trade.id, terms)
            session.add(escrow)
        data = contract.open_call(escrow.terms, authority.payload, authority.signature)
        _queue_act(
            session,
            deployment,
            trade.id,
            Act.OPEN,
            data,
            None,
            self._urgent(session, trade, escrow, Act.OPEN),
        )
        return []

    def _urgent(self, session: Session, trade: Trade, escrow: EscrowRecord, act: Act) -> int | None:
        window = session.get_one(Market, trade.market_id).payment_seconds
        return urgent_from(act, escrow.terms, window, self._settings.escrow_grace_seconds)

    def _terms(
        self,
        session: Session,
        trade: Trade,
        deployment: Deployment,
        authority: dict[str, Any],
        buyer: str,
    ) -> dict[str, Any]:
        market = session.get_one(Market, trade.market_id)
        window = market.payment_seconds + self._settings.escrow_grace_seconds
        pay_by = now_ms() // 1000 + window
        message = {
            # What the seller signed with the order; whoever changes the settings meanwhile.
            **{name: authority[name] for name in ("arbiter", "backupArbiter", "sunsetBuyerBps")},
            "salt": salt(trade.id),
            "seller": authority["owner"],
            "buyer": buyer,
            "token": deployment.token(trade.base),
            "amount": trade.escrow_units,
            "fee": trade.buyer_fee + trade.seller_fee,
            "arbiterFee": 0,
            "feeTo": fee_address(self._settings),
            "payBy": pay_by,
            "resolveBy": pay_by + int(authority["resolveWindow"]),
            "sunset": pay_by + int(authority["sunsetWindow"]),
        }
        terms: dict[str, Any] = typed_data.typed(deployment.domain, "Terms", message)["message"]
        return terms

    def _queue(
        self,
        session: Session,
        deployment: Deployment,
        trade: Trade,
        escrow: EscrowRecord,
        act: Act,
        kept: Kept,
    ) -> None:
        not_before = int(escrow.terms["payBy"]) + 1 if act is Act.EXPIRE else None
        data = self._calldata(deployment, trade, escrow, act, kept)
        urgent_at = self._urgent(session, trade, escrow, act)
        _queue_act(session, deployment, trade.id, act, data, not_before, urgent_at)

    def _calldata(
        self, deployment: Deployment, trade: Trade, escrow: EscrowRecord, act: Act, kept: Kept
    ) -> str:
        if act is Act.MARK_PAID:
            return contract.mark_paid_call(escrow.terms, kept[BUYER, MARK_PAID].signature)
        if act is Act.CANCEL:
            return contract.cancel_call(escrow.terms, kept[BUYER, CANCEL].signature)
        if act is Act.EXPIRE:
            return contract.expire_call(escrow.terms)
        return self._settle(deployment, trade, escrow, kept)

    def _settle(
        self, deployment: Deployment, trade: Trade, escrow: EscrowRecord, kept: Kept
    ) -> str:
        """Calldata with the two signatures that back the trade's share."""
        signers = settle_signers(State(trade.state), trade.to_buyer or 0, signed_of(kept))
        party = BUYER if BUYER in signers else SELLER
        decision = kept[party, SETTLE].payload
        given = {name: kept[name, SETTLE].signature for name in (SELLER, BUYER) if name in signers}
        if ARBITER in signers:
            given[ARBITER] = self._arbiter_signature(deployment, decision)
        return contract.settle_call(
            escrow.terms, decision, given.get(SELLER), given.get(BUYER), given.get(ARBITER)
        )

    def _arbiter_signature(self, deployment: Deployment, decision: dict[str, Any]) -> str:
        return self._arbiter.sign_typed(typed_data.typed(deployment.domain, "Settle", decision))


def _refused(trade: Trade, reason: str) -> list[Command]:
    if State(trade.state) is not State.LOCKING:
        return []
    return [lock_failed(trade.id, f"The escrow can't be opened: {reason}.")]


def _new_record(trade_id: int, terms: dict[str, Any]) -> EscrowRecord:
    return EscrowRecord(
        trade_id=trade_id,
        backend="evm",
        escrow_id=contract.escrow_id(terms),
        terms=terms,
        status="opening",
    )


def _queue_act(
    session: Session,
    deployment: Deployment,
    trade_id: int,
    act: Act,
    data: str,
    not_before: int | None,
    urgent_at: int | None,
) -> None:
    """The contract closes and opens a trade once only, whoever sends what again."""
    queue_intent(
        session,
        key=f"trade:{trade_id}:{act}",
        kind=str(act),
        to=deployment.escrow,
        data=data,
        trade_id=trade_id,
        not_before=not_before,
        urgent_at=urgent_at,
        guarded=True,
    )


def backends(settings: Settings) -> dict[str, EscrowBackend]:
    """Every backend by the name that markets use."""
    found: tuple[EscrowBackend, ...] = (LedgerBackend(), EvmBackend(settings))
    return {backend.name: backend for backend in found}
