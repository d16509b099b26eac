"""Which coins are not paid out, and the right to let payouts go on."""

from collections.abc import Sequence
from typing import Any

from flask_appbuilder.models.sqla.interface import SQLAInterface

from portal.backoffice import cells
from portal.backoffice.acts import Act, Values, reason_field
from portal.backoffice.context import services, staff
from portal.backoffice.pages import RecordView, Tab
from portal.backoffice.panels import Column, Facts, Note, Panel, Shown
from portal.escrow.payouts.models import TokenStop
from portal.escrow.payouts.stops import accept


def _accept(view: Any, stop: TokenStop, values: Values) -> str:
    with services().database.transaction() as session:
        accept(session, stop.id, f"user:{staff().id}", values["reason"])
    return f"Payouts of {stop.asset} go on."


def _state(stop: TokenStop) -> Shown:
    if stop.ended_at is None:
        return cells.state("stopped", tone="harm")
    return cells.state("over" if stop.ended_by == "system" else "accepted", tone="done")


class TokenStopView(RecordView):
    """Stops of payouts, the present ones and those that are over."""

    datamodel = SQLAInterface(TokenStop)
    route_base = "/stopped-coins"
    page_title = "Stopped coins"
    search_in = ("asset", "reason")
    search_hint = "Coin"
    newest_first = "id"
    empty_title = "Payouts were never stopped"
    empty_text = "They stop by themselves when ledger and chain differ about a coin."
    tabs = (
        Tab("all", "All"),
        Tab("stopped", "Stopped", lambda: TokenStop.ended_at.is_(None)),
    )
    columns = (
        Column("Stop", lambda stop: f"#{stop.id}", sort="id"),
        Column("Coin", lambda stop: stop.asset, sort="asset"),
        Column("Status", _state),
        Column("What differs", lambda stop: cells.text(stop.reason, limit=80), wide=True),
        Column("Since", lambda stop: cells.when(stop.began_at), sort="began_at"),
        Column("Until", lambda stop: cells.when(stop.ended_at)),
    )
    acts = (
        Act(
            "accept",
            "Let payouts go on",
            _accept,
            consequence="Held payouts of this coin are sent although the difference is there. It "
            "stops them again only when it changes. First find out where the coins are: "
            "`portal audit verify` tells every difference.",
            fields=(reason_field(),),
            harmful=True,
            offered=lambda stop: stop.ended_at is None,
        ),
    )

    def title_of(self, record: Any) -> Shown:
        """Whose payouts."""
        return f"Payouts of {record.asset}"

    def status_of(self, record: Any) -> Shown:
        """Whether they are stopped."""
        return _state(record)

    def panels(self, record: Any) -> Sequence[Panel]:
        """What differs, then when and who."""
        facts = Facts(
            "Stop",
            (
                ("Since", cells.when(record.began_at)),
                ("Last seen", cells.when(record.seen_at)),
                ("Until", cells.when(record.ended_at)),
                ("Ended by", cells.text(record.ended_by)),
                ("Why", cells.text(record.note)),
            ),
        )
        differs = Note("What differs", record.reason, tone="wait" if record.ended_at else "harm")
        return (differs, facts)
