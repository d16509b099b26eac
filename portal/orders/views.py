"""Orders at the desk. Staff may take an order out of the book, with a reason, and nothing else."""

from collections.abc import Sequence
from typing import Any

from flask_appbuilder.models.sqla.interface import SQLAInterface
from markupsafe import Markup

from portal.backoffice import cells, decisions
from portal.backoffice.acts import Act, Values, reason_field
from portal.backoffice.context import reader, services, staff
from portal.backoffice.pages import RecordView, Tab
from portal.backoffice.panels import Column, Facts, Panel, Shown
from portal.orders import history
from portal.orders.condition_words import in_words
from portal.orders.hours import in_words as hours_in_words
from portal.orders.models import Order
from portal.orders.queries import load_frame


def order_price(order: Order) -> Shown:
    """A fixed price, or what is added to the index, or that the market decides."""
    if order.price_kind == "floating":
        sign = "+" if (order.margin_bps or 0) >= 0 else "−"
        margin = f"{abs(order.margin_bps or 0) / 100:g}"
        text = Markup('index <span class="number">{}{}%</span>').format(sign, margin)
        return cells.joined(text, *_bounds(order))
    if order.price_ticks is None:
        return "market price"
    return cells.price(order.price_ticks, order.market_id)


def _bounds(order: Order) -> list[Markup]:
    found = []
    for word, ticks in (("at least", order.floor_ticks), ("at most", order.ceiling_ticks)):
        if ticks is not None:
            found.append(Markup(" {} {}").format(word, cells.price(ticks, order.market_id)))
    return found


def order_state(order: Order) -> Shown:
    """Open, filled or cancelled; paused while something keeps an open one out of the book."""
    if order.status == "open" and order.paused is not None:
        return cells.state("paused", tone="wait")
    return cells.state(order.status)


def _cancel(view: Any, order: Order, values: Values) -> str:
    decisions.cancel_order(services(), staff().id, order.id, values["reason"])
    return f"Order #{order.id} is out of the book."


class OrderView(RecordView):
    """All orders."""

    datamodel = SQLAInterface(Order)
    route_base = "/orders"
    page_title = "Orders"
    search_in = ("market_id",)
    search_hint = "Order number or market"
    newest_first = "id"
    empty_title = "No orders"
    empty_text = "Orders appear here when traders place them."
    tabs = (
        Tab("open", "Open", lambda: Order.status == "open"),
        Tab("paused", "Paused", lambda: (Order.status == "open") & Order.paused.is_not(None)),
        Tab("filled", "Filled", lambda: Order.status == "filled"),
        Tab("cancelled", "Cancelled", lambda: Order.status == "cancelled"),
        Tab("all", "All orders"),
    )
    columns = (
        Column("Order", lambda order: cells.number(order.id), sort="id"),
        Column("Market", lambda order: order.market_id, sort="market_id"),
        Column("Side", lambda order: cells.side(order.side)),
        Column("Owner", lambda row: cells.person(row.owner_id), people=lambda row: (row.owner_id,)),
        Column("Price", order_price, align="right"),
        Column("Left", lambda row: cells.base_money(row.remaining, row.market_id), align="right"),
        Column("Of", lambda row: cells.base_money(row.quantity, row.market_id), align="right"),
        Column("Status", lambda order: order_state(order)),
        Column("Placed", lambda order: cells.when(order.created_ms), sort="created_ms"),
    )
    acts = (
        Act(
            "cancel",
            "Cancel this order",
            _cancel,
            fields=(reason_field(help="The trader is told. Kept in the audit log."),),
            consequence="What is left leaves the book and the coins behind it are freed. "
            "Trades already made go on.",
            harmful=True,
            offered=lambda order: order.status == "open",
        ),
    )

    def title_of(self, record: Any) -> Shown:
        """Number and market."""
        return f"Order #{record.id}"

    def status_of(self, record: Any) -> Shown:
        """Open, paused, filled or cancelled."""
        return order_state(record)

    def panels(self, record: Any) -> Sequence[Panel]:
        """Terms, progress, trades, coins, history."""
        trades = history.trades_of(record)
        return (
            _terms(record),
            _manner(record),
            _progress(record),
            history.trades_table(trades),
            history.coins_of(record),
            history.story_of(record, trades),
        )


def _terms(order: Order) -> Facts:
    return Facts(
        "Terms",
        (
            ("Market", cells.link("MarketView", order.market_id, order.market_id)),
            ("Side", cells.side(order.side)),
            ("Price", order_price(order)),
            ("Smallest trade", cells.base_money(order.min_trade, order.market_id)),
            ("Largest trade", cells.base_money(order.max_trade, order.market_id)),
            ("Payment", ", ".join(order.methods)),
            ("Accepts fees up to", cells.percent_of_bps(order.max_fee_bps)),
            ("Trades with", _lines(_conditions(order)) or "everybody"),
        ),
    )


def _manner(order: Order) -> Facts:
    """How the order behaves in the book."""
    return Facts(
        "In the book",
        (
            ("Time in force", _time_in_force(order)),
            ("Only as a maker", "yes" if order.post_only else "no"),
            ("Balance", "shared with other orders" if order.shared else "set aside for it"),
            ("Working hours", _lines(hours_in_words(order.hours or ())) or "always"),
            ("Meeting an own order", _SELF_TRADE.get(order.stp, order.stp)),
            ("Seen by", "those who have its link" if order.link else "everybody"),
            ("Placed by", _placed_by(order)),
            ("Out of the book", _PAUSES.get(order.paused or "", order.paused or "no")),
        ),
    )


_SELF_TRADE = {
    "cancel_newest": "the newer one goes",
    "cancel_oldest": "the older one goes",
    "cancel_both": "both go",
}
_PAUSES = {
    "owner": "paused by its owner",
    "away": "its owner is on holiday",
    "hours": "outside its working hours",
    "balance": "the balance does not cover its smallest trade",
}
_TIMES_IN_FORCE = {
    "GTC": "until it is cancelled",
    "IOC": "what matches at once, the rest goes",
    "FOK": "all of it at once or nothing",
}


def _time_in_force(order: Order) -> Shown:
    if order.tif == "GTD":
        return cells.joined("until ", cells.when(order.expires_ms))
    return _TIMES_IN_FORCE.get(order.tif, order.tif)


def _placed_by(order: Order) -> Shown:
    by = cells.joined("API key ", cells.code(order.via)) if order.via else "its owner"
    return cells.joined(by, f", quote set {order.quote_set}") if order.quote_set else by


def _conditions(order: Order) -> list[str]:
    frame = load_frame(reader(), order.market_id)
    return in_words(order.conditions, frame.amount, frame.base.code)


def _lines(sentences: Sequence[str]) -> Shown:
    return Markup("<br>").join(sentences)


def _progress(order: Order) -> Facts:
    return Facts(
        "Progress",
        (
            ("Owner", cells.person(order.owner_id)),
            ("Quantity", cells.base_money(order.quantity, order.market_id)),
            ("Left", cells.base_money(order.remaining, order.market_id)),
            ("Coins behind it", cells.base_money(order.held, order.market_id)),
            ("Reason", cells.text(order.reason)),
            ("Placed", cells.when(order.created_ms)),
            ("Changed", cells.when(order.updated_ms)),
        ),
    )
