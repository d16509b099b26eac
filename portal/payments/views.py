"""Bank statements at the desk: import, the queue of lines that need a person, the gateways."""

from collections.abc import Sequence
from typing import Any

from flask import request
from flask_appbuilder.models.sqla.interface import SQLAInterface
from sqlalchemy import ColumnElement, or_

from portal.audit.views import timeline_of
from portal.backoffice import cells
from portal.backoffice.acts import Act, Field, Values, reason_field
from portal.backoffice.context import reader, services, staff
from portal.backoffice.pages import RecordView, Tab, whole_key, whole_number
from portal.backoffice.panels import Column, Facts, Note, Panel, Shown, Tone
from portal.backoffice.providers import ProvidersPage
from portal.payments.models import BankStatement, StatementLine
from portal.payments.service import confirm_line, dismiss_line, import_statement, line_details
from portal.plugin_api import PaymentGateway

_STATES = {
    "ignored": ("needs nobody", "plain"),
    "verifying": ("waits for the buyer to mark paid", "wait"),
    "verified": ("payment verified", "done"),
    "manual": ("look at this", "harm"),
    "dismissed": ("dismissed", "plain"),
}
_NAMES = {
    "MTCH": ("same name", "done"),
    "CMTC": ("close", "wait"),
    "NMTC": ("another name", "harm"),
    "NOAP": ("can't be compared", "wait"),
}


def line_state(line: StatementLine) -> Shown:
    """What was made of a line, in words."""
    words, tone = _STATES.get(line.state, (line.state, "plain"))
    return cells.state(words, tone=tone)


def name_match(line: StatementLine) -> Shown:
    """How well the payer's name fits the buyer's."""
    if line.name_match is None:
        return cells.NOTHING
    words, tone = _NAMES.get(line.name_match, (line.name_match, "plain"))
    return cells.state(words, tone=tone)


def _amount(line: StatementLine) -> Shown:
    sign = -1 if line.direction == "debit" else 1
    return cells.money(sign * line.amount_units, line.currency)


def _import(view: Any, record: Any, values: Values) -> str:
    upload = request.files["statement"]
    done = import_statement(
        services(),
        f"user:{staff().id}",
        upload.filename or "statement",
        values["statement"],
        method=values["method"],
    )
    counts = [f"{count} {_STATES[state][0]}" for state, count in sorted(done.states.items())]
    return f"{done.new} new of {done.lines} lines: {', '.join(counts) or 'nothing to do'}."


def _import_fields(record: Any) -> list[Field]:
    gateways = [
        one for one in services().plugins.providers.values() if isinstance(one, PaymentGateway)
    ]
    return [
        Field(
            "method",
            "From",
            kind="choice",
            options=[(one.slug, one.label) for one in gateways],
            value=gateways[0].slug if len(gateways) == 1 else "",
        ),
        Field("statement", "Statement file", kind="file", help="For SEPA: camt.053, an XML file."),
    ]


def _confirm(view: Any, line: StatementLine, values: Values) -> str:
    typed = values["trade_id"].lstrip("#")
    trade = whole_number(typed, "trade_id", least=1, most=2**62) if typed else None
    state = confirm_line(services(), line.id, staff().id, trade)
    return f"Line #{line.id} is accepted: {_STATES[state][0]}."


def _confirm_fields(line: StatementLine) -> list[Field]:
    return [
        Field(
            "trade_id",
            "Trade",
            kind="number",
            required=line.trade_id is None,
            value=line.trade_id or "",
            help="The number of the trade that this line pays.",
        )
    ]


def _dismiss(view: Any, line: StatementLine, values: Values) -> str:
    dismiss_line(services(), line.id, staff().id, values["reason"])
    return f"Line #{line.id} is out of the queue."


def _waits(line: StatementLine) -> bool:
    return line.state == "manual"


class StatementLineView(RecordView):
    """Movements on the bank accounts."""

    datamodel = SQLAInterface(StatementLine)
    route_base = "/bank-statements"
    page_title = "Bank statements"
    intro = (
        "A booked credit with the right reference, amount and name verifies its trade by itself."
    )
    search_in = ("entry_ref", "account_label", "reason")
    search_hint = "Line or trade number, bank reference"
    newest_first = "id"
    empty_title = "Nothing to look at"
    empty_text = "Import the bank's statement to verify payments."
    tabs = (
        Tab("manual", "To look at", lambda: StatementLine.state == "manual"),
        Tab("verifying", "Waiting for the buyer", lambda: StatementLine.state == "verifying"),
        Tab("verified", "Verified", lambda: StatementLine.state == "verified"),
        Tab("all", "All lines"),
    )
    columns = (
        Column("Line", lambda line: f"#{line.id}", sort="id"),
        Column("Booked", lambda line: cells.text(line.booking_date), sort="booking_date"),
        Column("Account", lambda line: cells.text(line.account_label)),
        Column("Amount", _amount, sort="amount_units", align="right"),
        Column("Trade", lambda line: cells.link("TradeView", line.trade_id)),
        Column("Name", name_match),
        Column("State", line_state, sort="state"),
        Column("Reason", lambda line: cells.text(line.reason, limit=120), wide=True),
    )
    desk_acts = (
        Act(
            "import_statement",
            "Import a statement",
            _import,
            fields=_import_fields,
            consequence="Taken whole or not at all; a line that is known already counts once.",
        ),
    )
    acts = (
        Act(
            "confirm",
            "Accept as payment",
            _confirm,
            fields=_confirm_fields,
            consequence="Account, currency, amount and booking are checked again; another "
            "person's name is never accepted.",
            offered=_waits,
        ),
        Act(
            "dismiss",
            "It concerns no trade",
            _dismiss,
            fields=(reason_field(),),
            offered=_waits,
        ),
    )

    def search(self, text: str) -> ColumnElement[bool]:
        """By line and by trade."""
        number = whole_key(StatementLine.__table__.c.trade_id, text.lstrip("#"))
        if number is None:
            return super().search(text)
        return or_(super().search(text), StatementLine.trade_id == number)

    def title_of(self, record: Any) -> Shown:
        """Number."""
        return f"Statement line #{record.id}"

    def status_of(self, record: Any) -> Shown:
        """What was made of it."""
        return line_state(record)

    def panels(self, record: Any) -> Sequence[Panel]:
        """Why it needs somebody, what the bank told, what was made of it."""
        tone: Tone = "wait" if record.state == "manual" else "plain"
        why = [Note("Why", record.reason, tone=tone)] if record.reason else []
        return (
            *why,
            _told(record),
            _made(record),
            timeline_of("What happened", f"statement_line:{record.id}"),
        )


def _told(line: StatementLine) -> Facts:
    opened = line_details(services(), line)
    return Facts(
        "What the bank says",
        (
            ("Amount", _amount(line)),
            ("Booked", cells.text(line.booking_date)),
            ("Booking", "reversal" if line.reversal else line.status),
            ("Payer", cells.text(opened.payer_name)),
            ("Payer's account", cells.code(opened.payer_account)),
            ("References", cells.text(", ".join(opened.references))),
            ("Text", cells.text(opened.text)),
            ("Bank's own reference", cells.code(line.entry_ref)),
        ),
    )


def _made(line: StatementLine) -> Facts:
    statement = reader().get(BankStatement, line.statement_id)
    return Facts(
        "What was made of it",
        (
            ("State", line_state(line)),
            ("Trade", cells.link("TradeView", line.trade_id)),
            ("Found by", cells.text(line.matched_by)),
            ("Payer's name", name_match(line)),
            ("Decided by", cells.person(line.decided_by)),
            ("Decided", cells.when(line.decided_at)),
            ("File", cells.text(statement.filename if statement else None)),
            ("Imported", cells.when(statement.imported_at if statement else None)),
        ),
    )


class GatewayView(ProvidersPage):
    """How local money is paid."""

    route_base = "/payment-gateways"
    page_title = "Payment gateways"
    intro = "Each market names the gateways that people may pay by."
    kind = PaymentGateway
    in_force = "New trades use it; trades under way keep their terms."
    empty_text = "Install a gateway and name it in PLUGINS_ALLOWED."
