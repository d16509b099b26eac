"""What a party of a trade is asked to sign, and keeping what they signed."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import utc_now
from portal.core.errors import Conflict, InvalidInput
from portal.escrow import typed_data
from portal.escrow.deployment import load_deployment
from portal.escrow.models import EscrowRecord, EscrowSignature
from portal.escrow.rules import BUYER, SELLER, Signed, settle_deadline
from portal.escrow.typed_data import Domain, TypedData
from portal.trades.models import Trade
from portal.trades.rules import State

SIGNED_EVENT = "escrow.signed"
MARK_PAID, SETTLE, CANCEL = "mark_paid", "settle", "cancel"
# What each act of a party needs signed. A claim executes a decision on a dispute.
_NEEDS: dict[tuple[str, str], tuple[str, ...]] = {
    (BUYER, "paid"): (MARK_PAID, SETTLE),
    (SELLER, "release"): (SETTLE,),
    (BUYER, "cancel"): (CANCEL,),
    (BUYER, "claim"): (SETTLE,),
    (SELLER, "claim"): (SETTLE,),
}
_RESOLVED = frozenset({State.RESOLVED_BUYER, State.RESOLVED_SELLER, State.RESOLVED_SPLIT})


def signing_requests(session: Session, trade: Trade, party: str, act: str) -> list[dict[str, Any]]:
    """What `party` (buyer, seller) must sign for `act` (paid, release, cancel, claim).

    A list of {kind, typed_data}; empty for an escrow kept in the ledger or not locked. Raises
    InvalidInput for an act that this party does not have, Conflict when it is not the time.
    """
    kinds = _NEEDS.get((party, act))
    if kinds is None:
        raise InvalidInput(f"A {party} has no act '{act}' to sign.", field="act", value=act)
    if trade.escrow != "evm" or not trade.locked:
        return []
    share = _share(trade, party, act)
    escrow = _record(session, trade)
    domain = load_deployment(session).domain
    return [{"kind": kind, "typed_data": _typed(domain, escrow, kind, share)} for kind in kinds]


def store_signatures(
    session: Session, trade: Trade, party: str, act: str, signatures: dict[str, str]
) -> None:
    """Verify and keep what `party` signed for `act`: {kind: signature}.

    Every kind that `signing_requests` names must be there. Raises InvalidInput naming
    `signatures.<kind>` for a missing, unknown or wrong one; then nothing is kept.
    """
    wanted = {
        item["kind"]: item["typed_data"] for item in signing_requests(session, trade, party, act)
    }
    for kind in signatures.keys() - wanted.keys():
        raise InvalidInput(f"Nothing of kind '{kind}' is to be signed.", field=f"signatures.{kind}")
    for kind, data in wanted.items():
        _verify(session, trade, party, kind, data, signatures.get(kind))
    for kind, data in wanted.items():
        _keep(session, trade.id, party, kind, data["message"], signatures[kind])
    if wanted:
        signed = {"party": party, "act": act, "kinds": sorted(wanted)}
        record(session, f"user:{_user(trade, party)}", SIGNED_EVENT, f"trade:{trade.id}", signed)


def stored_signatures(session: Session, trade_id: int) -> dict[tuple[str, str], EscrowSignature]:
    """A trade's kept signatures by (party, kind)."""
    rows = session.scalars(select(EscrowSignature).where(EscrowSignature.trade_id == trade_id))
    return {(row.party, row.kind): row for row in rows}


def signed_of(kept: dict[tuple[str, str], EscrowSignature]) -> Signed:
    """What the kept signatures allow."""
    return Signed(
        mark_paid=(BUYER, MARK_PAID) in kept,
        cancel=(BUYER, CANCEL) in kept,
        seller_settles=_settles(kept.get((SELLER, SETTLE))),
        buyer_settles=_settles(kept.get((BUYER, SETTLE))),
    )


def claim_missing(session: Session, trade: Trade, party: str) -> bool:
    """Whether a decision in favour of `party` waits for that party's signature."""
    if trade.escrow != "evm" or trade.settled or State(trade.state) not in _RESOLVED:
        return False
    if not _favoured(trade, party):
        return False
    signed = signed_of(stored_signatures(session, trade.id))
    return trade.to_buyer not in (signed.seller_settles, signed.buyer_settles)


def _settles(row: EscrowSignature | None) -> int | None:
    return None if row is None else int(row.payload["toBuyer"])


def _share(trade: Trade, party: str, act: str) -> int:
    """The buyer's gross share that `act` is about."""
    if act != "claim":
        return trade.escrow_units
    if State(trade.state) not in _RESOLVED or trade.to_buyer is None:
        raise Conflict("There is no decision to claim.", field="act", hint="Reload the trade.")
    if not _favoured(trade, party):
        raise Conflict(f"The decision gives the {party} nothing to claim.", field="act")
    return trade.to_buyer


def _favoured(trade: Trade, party: str) -> bool:
    share = trade.to_buyer or 0
    return share > 0 if party == BUYER else share < trade.escrow_units


def _record(session: Session, trade: Trade) -> EscrowRecord:
    escrow = session.get(EscrowRecord, trade.id)
    if escrow is None or escrow.escrow_id is None:
        raise Conflict(f"The escrow of trade {trade.id} is not open.", field="trade_id")
    return escrow


def _typed(domain: Domain, escrow: EscrowRecord, kind: str, share: int) -> TypedData:
    terms = escrow.terms
    if kind == MARK_PAID:
        return typed_data.mark_paid(domain, terms)
    if kind == CANCEL:
        return typed_data.cancel(domain, terms)
    return typed_data.settle(domain, terms, share, settle_deadline(terms))


def _verify(
    session: Session,
    trade: Trade,
    party: str,
    kind: str,
    data: TypedData,
    signature: str | None,
) -> None:
    field = f"signatures.{kind}"
    if signature is None:
        raise InvalidInput(
            f"{field} is missing.", field=field, hint="Sign what GET …/signing returns."
        )
    signer = str(_record(session, trade).terms[party])
    typed_data.verify_signature(data, signature, signer, field=field)


def _keep(
    session: Session, trade_id: int, party: str, kind: str, message: Any, signature: str
) -> None:
    values = {"payload": message, "signature": signature, "at": utc_now()}
    statement = insert(EscrowSignature).values(trade_id=trade_id, party=party, kind=kind, **values)
    session.execute(
        statement.on_conflict_do_update(index_elements=["trade_id", "party", "kind"], set_=values)
    )


def _user(trade: Trade, party: str) -> int:
    return trade.buyer_id if party == BUYER else trade.seller_id
