"""One box for everything: a number, an e-mail, a nickname, a hash, a reference."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import redirect, request, url_for
from sqlalchemy import ColumnElement, func, or_, select

from portal.backoffice import cells
from portal.backoffice.context import reader
from portal.backoffice.pages import Answer, DeskPage, route, whole_key
from portal.backoffice.panels import Shown
from portal.escrow.models import ChainIntent, EscrowRecord
from portal.markets.models import Market
from portal.orders.models import Order
from portal.trades.models import Trade
from portal.users.models import User

_MOST = 10


@dataclass(frozen=True)
class Hit:
    """Something found."""

    kind: str
    title: str
    about: Shown
    url: str


class SearchView(DeskPage):
    """What was found, by kind; a single hit is opened at once."""

    route_base = "/search"
    page_title = "Search"

    @route("/")
    def index(self) -> Answer:
        """Search in what this person may look at."""
        text = request.args.get("q", "").strip()[:100]
        hits = self._hits(text) if text else []
        if len(hits) == 1:
            return redirect(hits[0].url)
        return self.render("backoffice/search.html", view=self, hits=hits, find=text)

    def _hits(self, text: str) -> list[Hit]:
        sees = self.appbuilder.sm.has_access
        return [hit for view, look in _SOURCES if sees("can_show", view) for hit in look(text)]


def _number(text: str) -> int:
    number = whole_key(Trade.__table__.c.id, text.lstrip("#"))
    return -1 if number is None else number


def _rows(model: Any, where: ColumnElement[bool]) -> Sequence[Any]:
    return reader().scalars(select(model).where(where).limit(_MOST)).all()


def _url(view: str, pk: object) -> str:
    return url_for(f"{view}.show", pk=pk)


def _trades(text: str) -> list[Hit]:
    same = or_(
        Trade.id == _number(text),
        Trade.lock_reference == text,
        Trade.settle_reference == text,
        Trade.payment_proof == text,
    )
    return [
        Hit("Trade", f"#{row.id}", cells.state(row.state), _url("TradeView", row.id))
        for row in _rows(Trade, same)
    ]


def _orders(text: str) -> list[Hit]:
    return [
        Hit("Order", f"#{row.id}", cells.state(row.status), _url("OrderView", row.id))
        for row in _rows(Order, Order.id == _number(text))
    ]


def _people(text: str) -> list[Hit]:
    lower = text.lower()
    where = or_(
        func.lower(User.email) == lower,
        func.lower(User.nickname).startswith(lower, autoescape=True),
        func.lower(User.last_name).startswith(lower, autoescape=True),
        func.lower(User.wallet_address) == lower,
        func.lower(User.vault_address) == lower,
    )
    return [
        Hit("Trader", str(row.nickname or row.email), row.legal_name, _url("PersonView", row.id))
        for row in _rows(User, (User.kind == "trader") & where)
    ]


def _chain(text: str) -> list[Hit]:
    return [
        Hit("Transaction", f"#{row.id}", cells.state(row.status), _url("ChainIntentView", row.id))
        for row in _rows(ChainIntent, ChainIntent.tx_hash == text)
    ]


def _escrows(text: str) -> list[Hit]:
    return [
        Hit("Escrow", f"#{r.trade_id}", cells.state(r.status), _url("EscrowView", r.trade_id))
        for r in _rows(EscrowRecord, EscrowRecord.escrow_id == text)
    ]


def _markets(text: str) -> list[Hit]:
    return [
        Hit("Market", row.id, cells.state(row.status), _url("MarketView", row.id))
        for row in _rows(Market, Market.id == text.upper())
    ]


_SOURCES: tuple[tuple[str, Callable[[str], list[Hit]]], ...] = (
    ("TradeView", _trades),
    ("OrderView", _orders),
    ("PersonView", _people),
    ("MarketView", _markets),
    ("EscrowView", _escrows),
    ("ChainIntentView", _chain),
)
