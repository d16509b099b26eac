"""The audit log at the desk: search by subject, look at an event, verify the whole chain."""

import json
from collections.abc import Sequence
from typing import Any

from flask_appbuilder.models.sqla.interface import SQLAInterface
from markupsafe import Markup
from sqlalchemy import ColumnElement, func, or_, select

from portal.audit.checkpoints import checkpoint, newest_checkpoint, signing
from portal.audit.checks import chain_differences, journal_end_differences, ledger_differences
from portal.audit.models import AuditEvent
from portal.audit.proofs import leaf_number
from portal.audit.tree_checks import tree_differences
from portal.backoffice import cells, lookups
from portal.backoffice.acts import Act, Values
from portal.backoffice.context import reader, services
from portal.backoffice.pages import RecordView, Tab
from portal.backoffice.panels import Column, Facts, Note, Panel, Shown, Step, Timeline
from portal.core.errors import Conflict
from portal.core.hashchain import START

_PAGES = {
    "trade": "TradeView",
    "order": "OrderView",
    "user": "PersonView",
    "market": "MarketView",
}
_AMOUNTS = ("units", "to_buyer", "fee", "to_seller")


def actor(name: str) -> Shown:
    """Who did it: a person by their nickname, else the part of the portal."""
    kind, _, number = name.partition(":")
    if kind == "user" and number.isdigit():
        return cells.person(int(number))
    return cells.text(name)


def subject(name: str) -> Shown:
    """What it was about, linked where it has a page."""
    kind, _, key = name.partition(":")
    if kind == "user" and key.isdigit():
        return cells.person(int(key))
    if kind in _PAGES and key:
        return cells.link(_PAGES[kind], key, f"{kind} {key}")
    return cells.text(name)


def details(data: dict[str, Any]) -> list[tuple[str, Shown]]:
    """An event's data in readable pairs; what is empty is left out."""
    return [
        (name.replace("_", " "), _shown(name, value, data))
        for name, value in data.items()
        if value is not None
    ]


def _shown(name: str, value: Any, data: dict[str, Any]) -> Shown:
    """A value with its asset or as a person, where its name and neighbours tell what it is."""
    market = lookups.market(str(data.get("market", "")))
    if name in ("buyer", "seller") and isinstance(value, int):
        return cells.person(value)
    if name in _AMOUNTS and "asset" in data:
        return cells.money(value, str(data["asset"]))
    if market is not None and name == "quantity":
        return cells.money(value, market.base)
    if market is not None and name == "fiat":
        return cells.money(value, market.quote)
    if market is not None and name == "price":
        return cells.price(value, market.id)
    return _value(value)


def _value(value: Any) -> Shown:
    if isinstance(value, dict | list):
        return cells.text(json.dumps(value, ensure_ascii=False, sort_keys=True), limit=160)
    return cells.text(value, limit=160)


def _in_line(data: dict[str, Any]) -> Shown:
    pairs = [cells.joined(name, ": ", value) for name, value in details(data)[:4]]
    more = [f"and {len(data) - 4} more"] if len(data) > 4 else []
    return Markup(", ").join([*pairs, *more])


def timeline_of(title: str, about: str) -> Timeline:
    """Everything the audit log knows about one subject, oldest first."""
    steps = [step for _, step in steps_about(about)]
    return Timeline(title, steps, "The audit log knows nothing about it.")


def steps_about(about: str) -> list[tuple[int, Step]]:
    """What the audit log knows about one subject, oldest first, each with its time."""
    events = reader().scalars(
        select(AuditEvent)
        .where(AuditEvent.subject == about)
        .order_by(AuditEvent.at_ms, AuditEvent.seq)
        .limit(200)
    )
    return [(event.at_ms, _step(event)) for event in events]


def _step(event: AuditEvent) -> Step:
    return Step(cells.when(event.at_ms), words(event.kind), actor(event.actor), details(event.data))


def words(kind: str) -> str:
    """An event's kind as people read it."""
    return kind.replace(".", ": ").replace("_", " ")


def _verify(view: Any, record: Any, values: Values) -> str:
    with services().database.reader() as session:
        differences = [
            *chain_differences(session),
            *tree_differences(session, signing(services().settings).verifiers),
            *journal_end_differences(session),
            *ledger_differences(session),
        ]
        events = session.scalar(select(func.count()).select_from(AuditEvent)) or 0
    if differences:
        raise Conflict(
            f"{len(differences)} differences. The first: {differences[0]}",
            hint="Run `portal audit verify` for all of them, and stop payouts.",
        )
    return f"In order: {int(events):,} events are chained, and the ledger adds up."


def _make_checkpoint(view: Any, record: Any, values: Values) -> str:
    made = checkpoint(services().settings, services().database)
    return f"The tree has {made.size:,} events." if made else "Nothing has happened yet."


class AuditEventView(RecordView):
    """Everything that changed anything."""

    datamodel = SQLAInterface(AuditEvent)
    route_base = "/audit"
    page_title = "Audit log"
    intro = Markup(
        "Each event carries the hash of the one before it: a changed or missing one shows. "
        "<code>portal audit verify</code> also checks journal and chain."
    )
    search_hint = "Subject, actor or kind: trade:12, user:3, market.saved"
    search_in = ("subject", "actor", "kind")
    newest_first = "at_ms"
    empty_title = "Nothing has happened yet"
    empty_text = "The first change anybody makes is written here."
    tabs = (
        Tab("all", "All"),
        Tab("desk", "Desk and people", lambda: AuditEvent.stream == "portal"),
        Tab("engine", "Engine", lambda: AuditEvent.stream != "portal"),
    )
    columns = (
        Column("Event", lambda event: f"{event.stream} {event.seq}"),
        Column("When", lambda event: cells.when(event.at_ms), sort="at_ms"),
        Column("What", lambda event: words(event.kind), sort="kind"),
        Column("About", lambda event: subject(event.subject), sort="subject"),
        Column("By", lambda event: actor(event.actor), sort="actor"),
        Column("Details", lambda event: _in_line(event.data), wide=True),
    )
    desk_acts = (
        Act(
            "verify",
            "Verify log and ledger",
            _verify,
            consequence="Recomputes the hash of every event and every balance. Changes nothing.",
        ),
        Act(
            "checkpoint",
            "Make a checkpoint",
            _make_checkpoint,
            consequence="Takes all events until now into the tree and signs its root.",
        ),
    )

    def overview(self) -> Sequence[Panel]:
        """The newest checkpoint, and the key it is checked with."""
        newest = newest_checkpoint(reader())
        if newest is None:
            return ()
        size, when = f"{newest.size:,} events", cells.when(newest.at_ms)
        key = str(signing(services().settings).verifier)
        return (
            Facts(
                "Newest checkpoint",
                (("Holds", size), ("Made", when), ("Key to check it with", cells.code(key))),
            ),
        )

    def key(self, record: Any) -> str:
        """Stream and number."""
        return f"{record.stream}@{record.seq}"

    def find(self, pk: str) -> Any:
        """By stream and number."""
        stream, _, number = pk.rpartition("@")
        if not number.isdigit() or len(number) > 18:
            return None
        return reader().get(AuditEvent, (stream, int(number)))

    def search(self, text: str) -> ColumnElement[bool]:
        """A whole subject (`trade:12`, `trade 12`), or part of actor and kind."""
        whole = text.replace(" ", ":", 1)
        return or_(AuditEvent.subject == whole, super().search(text))

    def title_of(self, record: Any) -> Shown:
        """What happened."""
        return words(record.kind)

    def panels(self, record: Any) -> Sequence[Panel]:
        """The event as it was written."""
        data = json.dumps(record.data, indent=2, ensure_ascii=False, sort_keys=True)
        return (
            Facts(
                "Event",
                (
                    ("When", cells.when(record.at_ms)),
                    ("By", actor(record.actor)),
                    ("About", subject(record.subject)),
                    ("Stream", f"{record.stream} {record.seq}"),
                ),
            ),
            Facts(
                "Chain",
                (
                    ("Hash", cells.code(record.hash)),
                    ("Hash before it", cells.code(_hash_before(record))),
                    ("Head of the stream", _head(record.stream)),
                    ("In the tree", _leaf(record)),
                ),
            ),
            Note("Data", Markup("<code>{}</code>").format(data)),
        )


def _hash_before(event: AuditEvent) -> str:
    before = reader().get(AuditEvent, (event.stream, event.seq - 1))
    return before.hash if before else START


def _leaf(event: AuditEvent) -> Shown:
    leaf = leaf_number(reader(), event.stream, event.seq)
    if leaf is None:
        return cells.state("with the next checkpoint", tone="wait")
    return cells.joined("leaf ", f"{leaf:,}", ", ", cells.code(f"{event.stream}@{event.seq}"))


def _head(stream: str) -> Shown:
    newest = select(func.max(AuditEvent.seq)).where(AuditEvent.stream == stream)
    return f"{reader().scalar(newest) or 0:,}"
