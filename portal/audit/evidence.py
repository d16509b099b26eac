"""The evidence of a trade: everything about it, in one file that others can check alone.

A ZIP of `evidence.json`, the script that checks it (`portal.audit.check_evidence`, which needs
nothing of the portal), and a few words on how. Events are proven by the tree; the rest is what
the portal recorded, and the chain's part is for any node or explorer to confirm.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import IO, Any

from sqlalchemy import inspect, or_, select
from sqlalchemy.orm import Session

from portal.audit import check_evidence
from portal.audit.checkpoints import checkpoint, newest_checkpoint, signing
from portal.audit.models import AuditEvent
from portal.audit.proofs import prove
from portal.audit.service import record
from portal.core.clock import utc_now
from portal.core.db import Base, Database
from portal.core.errors import NotFound
from portal.core.settings import Settings
from portal.escrow.models import ChainAttempt, ChainIntent, EscrowRecord, EscrowSignature
from portal.ledger.models import Transfer
from portal.trades.models import Dispute, DisputeStatement, Trade

FORMAT = "otc-portal-evidence/1"
_README = """\
Evidence of trade {trade_id}, made {at}.

    python3 check_evidence.py evidence.json --key 'NAME+ID+KEY'

checks that every event is as it was written, that it is in the log whose checkpoint was signed,
and that the signature is of the key you give. Get that key from somewhere else than from this
file: the platform publishes it, and so may others who watch its log. The script needs Python 3.9
or newer, and the package `cryptography` for the signature.

What it can't check: `ledger` and `trade` are the platform's own records (the events tell the same
story, step by step), and the transactions under `chain` are for any node or block explorer of that
chain to confirm.
"""


def export(settings: Settings, database: Database, trade_id: int, actor: str) -> IO[bytes]:
    """The bundle as of now, as a ZIP; that `actor` took it is written into the log first.

    Raises NotFound when there is no such trade.
    """
    with database.transaction() as session:
        if session.get(Trade, trade_id) is None:
            raise NotFound("There is no such trade.", field="trade", value=trade_id)
        record(session, actor, "evidence.exported", f"trade:{trade_id}", {})
    checkpoint(settings, database)
    with database.reader() as session:
        found = collect(session, settings, trade_id)
    file = io.BytesIO()
    write(found, file)
    file.seek(0)
    return file


def collect(session: Session, settings: Settings, trade_id: int) -> dict[str, Any]:
    """All about a trade as JSON.

    Raises NotFound, and Conflict while one of its events is in no checkpoint.
    """
    trade = session.get(Trade, trade_id)
    if trade is None:
        raise NotFound("There is no such trade.", field="trade", value=trade_id)
    newest = newest_checkpoint(session)
    proofs = [prove(session, event.stream, event.seq, newest) for event in _events(session, trade)]
    return {
        "format": FORMAT,
        "trade_id": trade_id,
        "made_at": utc_now().isoformat(timespec="seconds"),
        "checkpoint": newest.note if newest else "",
        "key": str(signing(settings).verifier),
        "events": [
            {name: value for name, value in proof.as_dict().items() if name != "checkpoint"}
            for proof in proofs
        ],
        "trade": _row(trade),
        "ledger": [_row(row) for row in _transfers(session, trade_id)],
        "chain": _chain(session, settings, trade_id),
        "dispute": _dispute(session, trade_id),
    }


def write(evidence: dict[str, Any], file: IO[bytes] | Path) -> None:
    """The bundle as a ZIP."""
    readme = _README.format(trade_id=evidence["trade_id"], at=evidence["made_at"])
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("README.txt", readme)
        text = json.dumps(evidence, ensure_ascii=False, indent=1)
        bundle.writestr("evidence.json", text + "\n")
        bundle.writestr("check_evidence.py", Path(check_evidence.__file__).read_text())


def _events(session: Session, trade: Trade) -> list[AuditEvent]:
    """Events about the trade and its two orders, as they happened."""
    about = [f"trade:{trade.id}", f"order:{trade.maker_order_id}", f"order:{trade.taker_order_id}"]
    query = select(AuditEvent).where(AuditEvent.subject.in_(about))
    return list(
        session.scalars(query.order_by(AuditEvent.at_ms, AuditEvent.stream, AuditEvent.seq))
    )


def _transfers(session: Session, trade_id: int) -> list[Transfer]:
    query = select(Transfer).where(Transfer.trade_id == trade_id).order_by(Transfer.id)
    return list(session.scalars(query))


def _chain(session: Session, settings: Settings, trade_id: int) -> dict[str, Any] | None:
    escrow = session.get(EscrowRecord, trade_id)
    if escrow is None:
        return None
    intents = list(
        session.scalars(
            select(ChainIntent).where(ChainIntent.trade_id == trade_id).order_by(ChainIntent.id)
        )
    )
    attempts = session.scalars(
        select(ChainAttempt)
        .where(ChainAttempt.intent_id.in_([intent.id for intent in intents]))
        .where(or_(ChainAttempt.status == "mined", ChainAttempt.status == "reverted"))
        .order_by(ChainAttempt.id)
    )
    signatures = session.scalars(
        select(EscrowSignature)
        .where(EscrowSignature.trade_id == trade_id)
        .order_by(EscrowSignature.id)
    )
    return {
        "chain_id": settings.chain_id,
        "escrow": _row(escrow),
        "signatures": [_row(row) for row in signatures],
        "intents": [_row(row) for row in intents],
        "transactions": [_row(row, without=("raw",)) for row in attempts],
    }


def _dispute(session: Session, trade_id: int) -> dict[str, Any] | None:
    dispute = session.get(Dispute, trade_id)
    if dispute is None:
        return None
    said = session.scalars(
        select(DisputeStatement)
        .where(DisputeStatement.trade_id == trade_id)
        .order_by(DisputeStatement.id)
    )
    return {**_row(dispute), "statements": [_row(row) for row in said]}


def _row(row: Base, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """A row's columns as JSON; whole numbers beyond 2**53 as text, which no reader rounds."""
    names = [column.key for column in inspect(type(row)).column_attrs]
    return {name: _plain(getattr(row, name)) for name in names if name not in without}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | dict | list):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
