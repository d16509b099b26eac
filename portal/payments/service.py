"""Importing bank statements, and what staff decides about lines that need a person."""

import hashlib
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import func, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import utc_now
from portal.core.db import Database
from portal.core.errors import Conflict, InvalidInput, NotFound
from portal.core.jobs import Engine
from portal.core.sealed import Sealer
from portal.core.settings import Settings
from portal.payments import rules, verifying
from portal.payments.matching import Matcher, new_row, opened_line
from portal.payments.models import BankStatement, StatementLine
from portal.plugin_api import PaymentGateway, Statement
from portal.plugin_host.host import PluginHost

# One import at a time: two at once could each find the same trade unpaid.
_IMPORT_LOCK = 0x0107_0053


class Desk(Protocol):
    """What these services need; a web process's services and a job's context both are one."""

    @property
    def settings(self) -> Settings: ...

    @property
    def database(self) -> Database: ...

    @property
    def engine(self) -> Engine: ...

    @property
    def plugins(self) -> Any: ...


@dataclass(frozen=True)
class ImportResult:
    """What an import did: `lines` in the file, `new` of them, and the new ones by state."""

    statement_id: int
    lines: int
    new: int
    states: dict[str, int]


def import_statement(
    desk: Desk, actor: str, filename: str, content: bytes, *, method: str = "sepa"
) -> ImportResult:
    """Take a bank statement in, whole or not at all, and verify the payments it proves.

    `actor` is who imports it ("user:7"). Raises InvalidInput naming the line of an unreadable
    file, Conflict for one that was imported before.
    """
    host: PluginHost = desk.plugins
    gateway = host.gateway(method)
    statement = gateway.parse_statement(content, host.get_settings(method))
    if not statement.lines:
        raise InvalidInput(
            "The statement has no entries.",
            field="statement",
            value=filename,
            hint="Nothing was imported. Export a period with movements.",
        )
    sealer = _sealer(desk)
    with desk.database.transaction() as session:
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _IMPORT_LOCK})
        row = _new_statement(session, sealer, gateway, statement, actor, filename, content)
        fresh = _store_lines(Matcher(session, sealer, gateway), row, statement)
        row.new_lines = len(fresh)
        result = ImportResult(row.id, row.lines, len(fresh), _count(fresh))
        record(session, actor, "statement.imported", f"statement:{row.id}", _told(row, result))
    verifying.verify_due(desk.database, desk.engine)
    return _present(desk.database, result)


def line_details(desk: Desk, line: StatementLine) -> Any:
    """The line as the bank told it (a `plugin_api.StatementLine`), for staff who may see it."""
    return opened_line(_sealer(desk), line)


def confirm_line(desk: Desk, line_id: int, actor_id: int, trade_id: int | None = None) -> str:
    """Staff accepts a line as the payment of a trade (its own, or `trade_id` for one without).

    Account, currency, amount and booking must still agree, and another person's name is never
    accepted. Returns the line's state after it. Raises NotFound, Conflict, InvalidInput.
    """
    host: PluginHost = desk.plugins
    with desk.database.transaction() as session:
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _IMPORT_LOCK})
        row = _open_line(session, line_id)
        wanted = trade_id if trade_id is not None else row.trade_id
        if wanted is None:
            raise InvalidInput("Say which trade this pays.", field="trade_id")
        matcher = Matcher(session, _sealer(desk), host.gateway(row.method))
        _accept(matcher, row, wanted)
        row.decided_by, row.decided_at, row.reason = actor_id, utc_now(), None
        change = {"trade": wanted, "name_match": row.name_match, "matched_by": row.matched_by}
        record(session, f"user:{actor_id}", "payment.confirmed", f"statement_line:{row.id}", change)
    verifying.verify_due(desk.database, desk.engine)
    with desk.database.reader() as session:
        return session.get_one(StatementLine, line_id).state


def dismiss_line(desk: Desk, line_id: int, actor_id: int, reason: str) -> None:
    """Staff takes a line out of the queue: it concerns no trade. Raises NotFound, Conflict."""
    if not reason.strip():
        raise InvalidInput("Say why, for the record.", field="reason")
    with desk.database.transaction() as session:
        row = _open_line(session, line_id)
        row.state, row.reason = "dismissed", reason.strip()[:500]
        row.decided_by, row.decided_at = actor_id, utc_now()
        change = {"reason": row.reason}
        record(session, f"user:{actor_id}", "payment.dismissed", f"statement_line:{row.id}", change)


def _accept(matcher: Matcher, row: StatementLine, trade_id: int) -> None:
    line = opened_line(matcher.sealer, row)
    expected = matcher.expected(trade_id)
    if expected is None:
        raise NotFound(
            f"There is no {row.method} trade {trade_id}.", field="trade_id", value=trade_id
        )
    name = matcher.name_match(line, expected)
    if problem := rules.confirmable(line, expected, name):
        raise Conflict(problem, field="line_id", value=row.id, hint="Nothing was changed.")
    if trade_id != row.trade_id:
        row.matched_by = "staff"
    row.trade_id, row.name_match, row.state = trade_id, name, "verifying"
    if problem := matcher.used_already(row):
        raise Conflict(problem, field="line_id", value=row.id, hint="Nothing was changed.")


def _open_line(session: Session, line_id: int) -> StatementLine:
    row = session.get(StatementLine, line_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no such statement line.", field="line_id", value=line_id)
    if row.state != "manual":
        raise Conflict(
            f"This line is {row.state}: it waits for no decision.", field="line_id", value=line_id
        )
    return row


def _new_statement(
    session: Session,
    sealer: Sealer,
    gateway: PaymentGateway,
    statement: Statement,
    actor: str,
    filename: str,
    content: bytes,
) -> BankStatement:
    account = statement.lines[0].account
    row = BankStatement(
        method=gateway.slug,
        message_id=statement.message_id,
        account_index=sealer.blind_index(account, f"payment_account|{gateway.slug}"),
        sha256=hashlib.sha256(content).hexdigest(),
        filename=filename[:200],
        size=len(content),
        lines=len(statement.lines),
        new_lines=0,
        imported_by=actor,
    )
    _refuse_known(session, row)
    session.add(row)
    session.flush()
    return row


def _refuse_known(session: Session, row: BankStatement) -> None:
    known = session.scalar(
        select(BankStatement).where(
            or_(
                BankStatement.sha256 == row.sha256,
                (BankStatement.method == row.method)
                & (BankStatement.account_index == row.account_index)
                & (BankStatement.message_id == row.message_id),
            )
        )
    )
    if known is not None:
        raise Conflict(
            f"This statement was imported already on {known.imported_at:%Y-%m-%d %H:%M} UTC, "
            f"from {known.filename}.",
            field="statement",
            value=row.filename,
            hint="Nothing was imported again.",
        )


def _store_lines(
    matcher: Matcher, statement: BankStatement, parsed: Statement
) -> list[StatementLine]:
    fresh = []
    for line in parsed.lines:
        candidate = new_row(matcher.sealer, matcher.gateway, statement.id, line)
        if row := _insert_if_new(matcher.session, candidate):
            matcher.look(line, row)
            matcher.session.flush()
            fresh.append(row)
    return fresh


def _insert_if_new(session: Session, row: StatementLine) -> StatementLine | None:
    values = {
        column.key: getattr(row, column.key)
        for column in StatementLine.__table__.columns
        if column.key != "id"
    }
    query = insert(StatementLine).values(**values).on_conflict_do_nothing()
    return session.scalar(query.returning(StatementLine))


def _count(lines: list[StatementLine]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for line in lines:
        counts[line.state] = counts.get(line.state, 0) + 1
    return counts


def _present(database: Database, result: ImportResult) -> ImportResult:
    """The result with the states as they are once the engine was told."""
    query = (
        select(StatementLine.state, func.count())
        .where(StatementLine.statement_id == result.statement_id)
        .group_by(StatementLine.state)
    )
    with database.reader() as session:
        states = {row[0]: row[1] for row in session.execute(query)}
    return ImportResult(result.statement_id, result.lines, result.new, states)


def _told(row: BankStatement, result: ImportResult) -> dict[str, Any]:
    return {
        "method": row.method,
        "filename": row.filename,
        "sha256": row.sha256,
        "lines": result.lines,
        "new": result.new,
        "states": result.states,
    }


def _sealer(desk: Desk) -> Sealer:
    return Sealer(desk.settings.master_key.get_secret_value())
