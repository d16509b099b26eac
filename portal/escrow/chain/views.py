"""The link to the chain at the desk: endpoints, what moved in vaults."""

from collections.abc import Sequence
from typing import Any

from flask_appbuilder.models.sqla.interface import SQLAInterface
from markupsafe import Markup

from portal.backoffice import cells
from portal.backoffice.pages import RecordView, Tab
from portal.backoffice.panels import Column, Facts, Note, Panel, Shown
from portal.escrow.chain.blocks import ChainEndpoint, ChainMovement
from portal.escrow.chain.movements import LOST

_TONES = {"ok": "done", "behind": "wait"}
_MOVEMENT_TONES = {"booked": "done", "final": "done", "lost": "harm", "reversed": "plain"}


def _endpoint_state(row: ChainEndpoint) -> Markup:
    return cells.state(row.state, tone=_TONES.get(row.state, "harm"))


class ChainEndpointView(RecordView):
    """What the scheduler last saw of each RPC endpoint."""

    datamodel = SQLAInterface(ChainEndpoint)
    route_base = "/chain-endpoints"
    page_title = "Chain endpoints"
    newest_first = "position"
    search_in = ("name",)
    search_hint = "Address"
    empty_title = "No endpoint seen yet"
    empty_text = "The scheduler looks at those of CHAIN_RPC_URLS every few seconds."
    tabs = (
        Tab("all", "All"),
        Tab("unwell", "Not well", lambda: ChainEndpoint.state != "ok"),
    )
    columns = (
        Column("Endpoint", lambda row: row.name, sort="position"),
        Column("State", _endpoint_state, sort="state"),
        Column("Height", lambda row: cells.text(row.height), align="right"),
        Column("Answers in ms", lambda row: cells.text(row.latency_ms), align="right"),
        Column("Errors", lambda row: cells.text(row.errors), align="right"),
        Column("Outvoted", lambda row: cells.text(row.disagreements), align="right"),
        Column("Seen", lambda row: cells.when(row.at), sort="at"),
    )

    def title_of(self, record: Any) -> Shown:
        """Its address, without what may be a key."""
        return str(record.name)

    def status_of(self, record: Any) -> Shown:
        """How it is."""
        return _endpoint_state(record)

    def panels(self, record: Any) -> Sequence[Panel]:
        """The last error first."""
        said = [Note("Last error", record.last_error, tone="wait")] if record.last_error else []
        facts = (
            ("Place in CHAIN_RPC_URLS", cells.text(record.position + 1)),
            ("Height", cells.text(record.height)),
            ("Answers in ms", cells.text(record.latency_ms)),
            ("Errors since the scheduler began", cells.text(record.errors)),
            ("Times outvoted by the others", cells.text(record.disagreements)),
            ("Seen", cells.when(record.at)),
        )
        return (*said, Facts("Endpoint", facts))


def _movement_state(row: ChainMovement) -> Markup:
    return cells.state(row.state, tone=_MOVEMENT_TONES.get(row.state))


class ChainMovementView(RecordView):
    """Coins that came into vaults or left them by themselves, and whether they are booked."""

    datamodel = SQLAInterface(ChainMovement)
    route_base = "/vault-movements"
    page_title = "Vault movements"
    newest_first = "id"
    search_in = ("tx_hash", "key")
    search_hint = "Hash or number"
    empty_title = "Nothing moved yet"
    empty_text = "A deposit appears once its block counts."
    tabs = (
        Tab("all", "All"),
        Tab("lost", "Taken back", lambda: ChainMovement.state == LOST),
        Tab("waiting", "Waiting", lambda: ChainMovement.state == "waiting"),
        Tab("refused", "Refused", lambda: ChainMovement.state == "refused"),
    )
    columns = (
        Column("Movement", lambda row: f"#{row.id}", sort="id"),
        Column("What", lambda row: row.kind, sort="kind"),
        Column("Whose", lambda row: cells.person(row.owner_id), people=lambda row: [row.owner_id]),
        Column("Amount", lambda row: cells.money(row.units, row.asset), align="right"),
        Column("Status", _movement_state, sort="state"),
        Column("Block", lambda row: cells.text(row.block_number), align="right"),
        Column("Hash", lambda row: cells.code(row.tx_hash, keep=8)),
        Column("Changed", lambda row: cells.when(row.updated_at), sort="updated_at"),
    )

    def title_of(self, record: Any) -> Shown:
        """What it is."""
        return f"{record.kind.capitalize()} #{record.id}"

    def status_of(self, record: Any) -> Shown:
        """Whether it is booked."""
        return _movement_state(record)

    def panels(self, record: Any) -> Sequence[Panel]:
        """Where it is on chain, and what it is here."""
        here = (
            ("Whose", cells.person(record.owner_id)),
            ("Amount", cells.money(record.units, record.asset)),
            ("Key", cells.code(record.key)),
            ("Changed", cells.when(record.updated_at)),
        )
        there = (
            ("Transaction", cells.code(record.tx_hash)),
            ("Log", cells.text(record.log_index)),
            ("Block", cells.text(record.block_number)),
            ("Block hash", cells.code(record.block_hash)),
        )
        return (Facts("Here", here), Facts("On chain", there))
