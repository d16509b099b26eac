"""Looking up what a statement line may pay, and filling in its row."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal.core.clock import from_ms
from portal.core.money import Asset, Money
from portal.core.sealed import Sealer
from portal.markets.assets import asset
from portal.payments import rules
from portal.payments.models import StatementLine as LineRow
from portal.plugin_api import NameMatch, PaymentGateway, StatementLine
from portal.trades.models import Trade
from portal.users.models import PaymentAccount, User
from portal.users.payment_accounts import open_account

_log = structlog.get_logger(__name__)
_SEALED = ("account", "payer_name", "payer_account", "references", "text")


@dataclass(frozen=True)
class Matcher:
    """Finds and judges for one gateway within one database transaction."""

    session: Session
    sealer: Sealer
    gateway: PaymentGateway

    def look(self, line: StatementLine, row: LineRow) -> None:
        """Set the row's state, trade and reason from what the line says."""
        if reason := rules.needs_nobody(line):
            row.state, row.reason = "ignored", reason
            return
        found = self._find(line)
        if found.expected is None:
            row.state, row.reason = "manual", found.reason
            return
        self._judge(line, row, found.expected, found.by)

    def expected(self, trade_id: int) -> rules.Expected | None:
        """What a trade waits for; None when there is no such trade of this method."""
        trade = self.session.get(Trade, trade_id)
        if trade is None or trade.method != self.gateway.slug:
            return None
        buyer = self.session.get_one(User, trade.buyer_id)
        return rules.Expected(
            trade_id=trade.id,
            state=trade.state,
            amount=Money(asset(self.session, trade.quote), trade.fiat_units),
            payee_account=self._identity(trade.seller_account_id),
            payer_account=self._identity(trade.buyer_account_id),
            payer_name=buyer.legal_name,
            opened=from_ms(trade.created_ms).date(),
            closes=from_ms(trade.payment_deadline_ms or trade.created_ms).date(),
        )

    def name_match(self, line: StatementLine, expected: rules.Expected) -> NameMatch:
        """The payer's name against the buyer's legal name.

        A gateway that fails at it, or answers with anything else than a NameMatch, has not said
        that the names agree: that counts as no match, which nobody can accept.
        """
        try:
            answer: object = self.gateway.match_name(expected.payer_name, line.payer_name)
        except Exception:
            _log.exception("a gateway failed to compare names", gateway=self.gateway.slug)
            return NameMatch.NO_MATCH
        if isinstance(answer, NameMatch):
            return answer
        _log.error("a gateway's answer is no NameMatch", gateway=self.gateway.slug)
        return NameMatch.NO_MATCH

    def _find(self, line: StatementLine) -> rules.Found:
        return rules.find(
            line,
            structured=self._trades(line.references),
            in_text=self._trades(self.gateway.references_in(line.text)),
            by_reference=self.expected,
            by_amount=lambda: self._waiting_for(line),
        )

    def _trades(self, references: tuple[str, ...]) -> list[int]:
        named = (self.gateway.trade_of(reference) for reference in references)
        return [trade_id for trade_id in named if trade_id is not None]

    def _waiting_for(self, line: StatementLine) -> Iterator[rules.Expected]:
        trades = self.session.scalars(
            select(Trade.id).where(
                ~Trade.closed,
                Trade.method == self.gateway.slug,
                Trade.quote == line.amount.asset.code,
                Trade.fiat_units == line.amount.units,
                Trade.state.in_(sorted(rules.WAITING)),
            )
        )
        for trade_id in trades.all():
            if expected := self.expected(trade_id):
                yield expected

    def _judge(
        self,
        line: StatementLine,
        row: LineRow,
        expected: rules.Expected,
        by: rules.MatchedBy | None,
    ) -> None:
        judgement = rules.judge(line, expected, self.name_match(line, expected))
        row.trade_id, row.matched_by = expected.trade_id, by
        row.name_match = judgement.name_match
        row.state, row.reason = judgement.state, judgement.reason
        if line.reversal:
            self._take_back(row)
        elif row.state == "verifying" and (
            problem := self._reversed(row) or self.used_already(row)
        ):
            row.state, row.reason = "manual", problem

    def _take_back(self, reversal: LineRow) -> None:
        """Money that went back proves nothing any more, if the engine was not told yet."""
        self.session.execute(
            update(LineRow)
            .where(LineRow.trade_id == reversal.trade_id, LineRow.state == "verifying")
            .values(state="manual", reason=f"Line {reversal.id} says that the money went back.")
        )

    def _reversed(self, row: LineRow) -> str | None:
        """Banks may list the newest first: the way back before the way there."""
        query = select(LineRow.id).where(LineRow.trade_id == row.trade_id, LineRow.reversal)
        back = self.session.scalar(query.limit(1))
        return f"Line {back} says that money of this trade went back." if back else None

    def used_already(self, row: LineRow) -> str | None:
        """One payment verifies one trade, once; a file sent twice must not verify another."""
        proof = ("verifying", "verified")
        rival = self.session.scalar(
            select(LineRow.id)
            .where(LineRow.trade_id == row.trade_id, LineRow.state.in_(proof), LineRow.id != row.id)
            .limit(1)
        )
        if rival is not None:
            return f"Trade {row.trade_id} has a payment already, line {rival}."
        if row.matched_by != "amount":
            return None
        twin = self.session.scalar(
            select(LineRow.id)
            .where(
                LineRow.payment_index == row.payment_index,
                LineRow.state.in_(proof),
                LineRow.id != row.id,
            )
            .limit(1)
        )
        return f"It may be the payment of line {twin}, told once more." if twin else None

    def _identity(self, account_id: int | None) -> str:
        account = account_id and self.session.get(PaymentAccount, account_id)
        if not account or account.method != self.gateway.slug:
            return ""
        return self.gateway.account_identity(open_account(self.sealer, account).fields)


def new_row(
    sealer: Sealer, gateway: PaymentGateway, statement_id: int, line: StatementLine
) -> LineRow:
    """The row of a line that nobody has looked at."""
    index = sealer.blind_index(line.account, f"payment_account|{gateway.slug}")
    payment = "|".join((line.account, str(line.amount), line.payer_account, str(line.booking_date)))
    return LineRow(
        statement_id=statement_id,
        method=gateway.slug,
        account_index=index,
        account_label=f"{line.account[:4]} … {line.account[-4:]}",
        entry_ref=line.entry_ref,
        source_line=line.source_line,
        status=line.status,
        reversal=line.reversal,
        direction=line.direction,
        amount_units=line.amount.units,
        currency=line.amount.asset.code,
        booking_date=line.booking_date,
        sealed=sealer.seal(_sealed_part(line), _context(index, line.entry_ref)),
        payment_index=sealer.blind_index(payment, "statement_line|payment"),
        state="manual",
    )


def opened_line(sealer: Sealer, row: LineRow) -> StatementLine:
    """The line as the bank told it, for a person or for judging it again."""
    told: dict[str, Any] = json.loads(
        sealer.unseal(row.sealed, _context(row.account_index, row.entry_ref))
    )
    told["references"] = tuple(told["references"])
    places = told.pop("places")
    known: dict[str, Any] = {
        name: getattr(row, name)
        for name in ("entry_ref", "direction", "booking_date", "status", "reversal", "source_line")
    }
    amount = Money(Asset(row.currency, places), row.amount_units)
    return StatementLine(amount=amount, **known, **told)


def _sealed_part(line: StatementLine) -> str:
    told = {name: value for name, value in asdict(line).items() if name in _SEALED}
    return json.dumps(told | {"places": line.amount.asset.places})


def _context(account_index: str, entry_ref: str) -> str:
    return f"statement_line|sealed|{account_index}|{entry_ref}"
