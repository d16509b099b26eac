"""Which payouts are stopped, and the right to let them go on."""

from collections.abc import Sequence
from typing import Any

from flask_appbuilder.models.sqla.interface import SQLAInterface

from portal.backoffice import cells
from portal.backoffice.acts import Act, Values, reason_field
from portal.backoffice.context import services, staff
from portal.backoffice.pages import RecordView, Tab
from portal.backoffice.panels import Column, Facts, Note, Panel, Shown
from portal.escrow.payouts.models import PayoutStop
from portal.escrow.payouts.stops import (
    DIFFERENCE,
    FINALITY,
    MOVEMENT,
    SAID,
    SYSTEM,
    kind_of,
    lift_stop,
)

_ENDS = {
    DIFFERENCE: "By itself, when ledger and chain match again.",
    MOVEMENT: "By itself, when the deposit is mined again or booked back.",
    FINALITY: "By itself, when the nodes have the chain we know again.",
}


def _lift(view: Any, stop: PayoutStop, values: Values) -> str:
    with services().database.transaction() as session:
        lift_stop(session, stop.id, f"user:{staff().id}", values["reason"])
    return f"Payout stop #{stop.id} is lifted."


def _state(stop: PayoutStop) -> Shown:
    if stop.lifted_at is None:
        return cells.state("stopped", tone="harm")
    return cells.state("over" if stop.lifted_by == SYSTEM else "lifted", tone="done")


def _cause(stop: PayoutStop) -> str:
    said = SAID.get(kind_of(stop), kind_of(stop))
    return said[:1].upper() + said[1:]


def _whose(stop: PayoutStop) -> Shown:
    return "everybody" if stop.owner_id is None else cells.person(stop.owner_id)


class PayoutStopView(RecordView):
    """Stops of payouts, those that are on and those that are over."""

    datamodel = SQLAInterface(PayoutStop)
    route_base = "/payout-stops"
    page_title = "Payout stops"
    newest_first = "id"
    search_in = ("asset", "cause", "reason")
    search_hint = "Coin, reason or number"
    empty_title = "Payouts were never stopped"
    empty_text = (
        "They stop by themselves when ledger and chain differ about a coin, or when the chain "
        "takes back coins that were credited and sold already."
    )
    tabs = (
        Tab("all", "All"),
        Tab("on", "Stopped", lambda: PayoutStop.lifted_at.is_(None)),
    )
    columns = (
        Column("Stop", lambda stop: f"#{stop.id}", sort="id"),
        Column("Status", _state),
        Column("Coin", lambda stop: stop.asset, sort="asset"),
        Column("Whose", _whose, people=lambda stop: [stop.owner_id]),
        Column("Cause", _cause, wide=True),
        Column("Since", lambda stop: cells.when(stop.since), sort="since"),
        Column("Until", lambda stop: cells.when(stop.lifted_at)),
    )
    acts = (
        Act(
            "lift",
            "Let payouts go on",
            _lift,
            consequence="What was held is locked and paid out although the cause is there: the "
            "ledger may owe more than the chain holds. First find out where the coins are: "
            "`portal audit verify` tells every difference. The same finding stops nothing again.",
            fields=(reason_field(),),
            harmful=True,
            offered=lambda stop: stop.lifted_at is None,
        ),
    )

    def title_of(self, record: Any) -> Shown:
        """Its number."""
        return f"Payout stop #{record.id}"

    def status_of(self, record: Any) -> Shown:
        """Whether it is on."""
        return _state(record)

    def panels(self, record: Any) -> Sequence[Panel]:
        """What was found first, then what is held, how it ends and who ended it."""
        facts = [
            ("Coin", record.asset),
            ("Whose payouts", _whose(record)),
            ("Cause", _cause(record)),
            ("Since", cells.when(record.since)),
            ("Last seen", cells.when(record.seen_at)),
        ]
        if record.lifted_at is None:
            facts.append(("Ends", _ENDS.get(kind_of(record), "When a person lifts it.")))
        else:
            facts += [
                ("Until", cells.when(record.lifted_at)),
                ("Lifted by", _by(record)),
                ("Why", cells.text(record.note)),
            ]
        found = Note("What was found", record.reason, tone="wait" if record.lifted_at else "harm")
        return (found, Facts("Stop", tuple(facts)))


def _by(stop: PayoutStop) -> Shown:
    kind, _, number = (stop.lifted_by or "").partition(":")
    if kind == "user" and number.isdigit():
        return cells.person(int(number))
    return "itself: the cause was gone"
