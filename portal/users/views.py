"""People at the desk: traders, what they did, and their identity tier."""

from collections.abc import Sequence
from typing import Any

from flask_appbuilder.models.sqla.interface import SQLAInterface
from sqlalchemy import ColumnElement, and_, func, or_, select

from portal.audit.views import timeline_of
from portal.backoffice import cells, lookups
from portal.backoffice.acts import Act, Field, Values, reason_field
from portal.backoffice.context import reader, services, staff
from portal.backoffice.pages import RecordView, Tab, whole_number
from portal.backoffice.panels import Column, Facts, Panel, Shown, Table
from portal.ledger.models import Account
from portal.orders.models import Order
from portal.trades.models import Trade
from portal.users.kyc import TIERS, set_kyc_tier
from portal.users.models import ApiKey, KycDecision, PaymentAccount, User

_MOST = 20


def tier(number: int) -> Shown:
    """An identity tier, number and words."""
    return cells.state(
        f"{number} · {TIERS.get(number, '')}", tone="wait" if number == 0 else "done"
    )


def _set_tier(view: Any, user: User, values: Values) -> str:
    tier_number = whole_number(values["tier"], "tier", least=0, most=max(TIERS))
    set_kyc_tier(services().database, staff().id, user.id, tier_number, values["reason"])
    return f"{user.nickname} is in tier {tier_number} now: {TIERS[tier_number]}."


def _tier_fields(user: User) -> list[Field]:
    options = [(str(number), f"{number} · {words}") for number, words in TIERS.items()]
    return [
        Field("tier", "Tier", kind="choice", options=options, value=str(user.kyc_tier)),
        reason_field(help="What you checked. Kept with the person and in the audit log."),
    ]


class PersonView(RecordView):
    """Traders."""

    datamodel = SQLAInterface(User)
    route_base = "/traders"
    page_title = "Traders"
    search_in = ("email", "nickname", "first_name", "last_name")
    search_hint = "Name, nickname, e-mail or wallet"
    newest_first = "id"
    empty_title = "Nobody is here"
    empty_text = "Traders appear when they sign up in the trading app."
    tabs = (
        Tab("unchecked", "To check", lambda: and_(_confirmed(), User.kyc_tier == 0)),
        Tab("checked", "Checked", lambda: and_(_confirmed(), User.kyc_tier > 0)),
        Tab("pending", "Sign-up not finished", lambda: and_(_trader(), ~_has_confirmed())),
        Tab("all", "All traders", lambda: _trader()),
    )
    columns = (
        Column("Nickname", lambda user: cells.text(user.nickname), sort="nickname"),
        Column("Legal name", lambda user: cells.text(user.legal_name), sort="last_name"),
        Column("E-mail", lambda user: cells.text(user.email), sort="email"),
        Column("Country", lambda user: cells.text(user.country), sort="country"),
        Column("Identity", lambda user: tier(user.kyc_tier), sort="kyc_tier"),
        Column("Last log-in", lambda user: cells.when(user.last_login), sort="last_login"),
    )
    acts = (
        Act(
            "set_tier",
            "Set identity tier",
            _set_tier,
            fields=_tier_fields,
            consequence="Limits and rules of the regions apply to the new tier at once.",
            offered=lambda user: user.kind == "trader",
        ),
    )

    def find(self, pk: str) -> Any:
        """A trader; staff are on their own page."""
        user = super().find(pk)
        return user if user is not None and user.kind == "trader" else None

    def search(self, text: str) -> ColumnElement[bool]:
        """Name and mail in part, wallet addresses whole."""
        wallet = func.lower(User.wallet_address) == text.lower()
        vault = func.lower(User.vault_address) == text.lower()
        return or_(super().search(text), wallet, vault)

    def title_of(self, record: Any) -> Shown:
        """The nickname."""
        return str(record.nickname or record.email)

    def status_of(self, record: Any) -> Shown:
        """The tier, or that sign-up is not finished."""
        if record.totp_confirmed is None:
            return cells.state("sign-up not finished", tone="wait")
        return tier(record.kyc_tier) if record.active else cells.state("switched off", tone="harm")

    def panels(self, record: Any) -> Sequence[Panel]:
        """Who they are, what they hold, what they trade."""
        return (
            _identity(record),
            _wallet(record),
            _balances(record),
            _trades(record),
            _orders(record),
            _api_keys(record),
            _decisions(record),
            timeline_of("What happened", f"user:{record.id}"),
        )


def _trader() -> ColumnElement[bool]:
    return User.kind == "trader"


def _has_confirmed() -> ColumnElement[bool]:
    return User.totp_confirmed.is_not(None)


def _confirmed() -> ColumnElement[bool]:
    return and_(_trader(), _has_confirmed())


def _identity(user: User) -> Facts:
    return Facts(
        "Person",
        (
            ("Legal name", cells.text(user.legal_name)),
            ("E-mail", cells.text(user.email)),
            ("Country", cells.text(user.country)),
            ("Identity", tier(user.kyc_tier)),
            ("Signed up", cells.when(user.created_on)),
            ("Last log-in", cells.when(user.last_login)),
        ),
    )


def _wallet(user: User) -> Facts:
    accounts = reader().scalars(
        select(PaymentAccount).where(
            PaymentAccount.user_id == user.id, PaymentAccount.removed_at.is_(None)
        )
    )
    return Facts(
        "Wallet and payment accounts",
        (
            ("Signing key", cells.code(user.wallet_address)),
            ("Vault on chain", cells.code(user.vault_address)),
            *((one.method, cells.text(one.label)) for one in accounts),
        ),
    )


def _balances(user: User) -> Table:
    rows = reader().scalars(
        select(Account).where(Account.owner_id == user.id).order_by(Account.asset, Account.kind)
    )
    return Table(
        "Balances",
        (
            Column("Asset", lambda account: account.asset),
            Column("Pocket", lambda account: account.kind),
            Column("Balance", lambda row: cells.money(row.balance, row.asset), align="right"),
        ),
        list(rows),
        "No coins yet.",
    )


def _trades(user: User) -> Table:
    rows = list(
        reader().scalars(
            select(Trade)
            .where(or_(Trade.buyer_id == user.id, Trade.seller_id == user.id))
            .order_by(Trade.id.desc())
            .limit(_MOST)
        )
    )
    lookups.load_people(one for row in rows for one in (row.buyer_id, row.seller_id))
    return Table(
        f"Last {_MOST} trades",
        (
            Column("Trade", lambda trade: cells.link("TradeView", trade.id)),
            Column("Side", lambda trade: "buys" if trade.buyer_id == user.id else "sells"),
            Column("With", lambda trade: cells.person(_other(trade, user.id))),
            Column("Quantity", lambda row: cells.money(row.quantity, row.base), align="right"),
            Column("Pays", lambda row: cells.money(row.fiat_units, row.quote), align="right"),
            Column("State", lambda trade: cells.state(trade.state)),
            Column("Since", lambda trade: cells.when(trade.created_ms)),
        ),
        rows,
        "No trades yet.",
    )


def _other(trade: Trade, user_id: int) -> int:
    return trade.seller_id if trade.buyer_id == user_id else trade.buyer_id


def _orders(user: User) -> Table:
    rows = reader().scalars(
        select(Order)
        .where(Order.owner_id == user.id, Order.status == "open")
        .order_by(Order.id.desc())
        .limit(_MOST)
    )
    return Table(
        "Open orders",
        (
            Column("Order", lambda order: cells.link("OrderView", order.id)),
            Column("Market", lambda order: order.market_id),
            Column("Side", lambda order: order.side),
            Column("Left", lambda order: cells.base_money(order.remaining, order.market_id)),
            Column("Placed", lambda order: cells.when(order.created_ms)),
        ),
        list(rows),
        "No open orders.",
    )


def _api_keys(user: User) -> Table:
    rows = reader().scalars(
        select(ApiKey).where(ApiKey.user_id == user.id).order_by(ApiKey.created_at.desc())
    )
    return Table(
        "API keys",
        (
            Column("Key", lambda key: cells.code(key.id)),
            Column("Label", lambda key: cells.text(key.label)),
            Column("May", lambda key: cells.text(", ".join(key.scopes))),
            Column("From", lambda key: cells.text(", ".join(key.networks) or "everywhere")),
            Column("Made", lambda key: cells.when(key.created_at)),
            Column("Revoked", lambda key: cells.when(key.revoked_at)),
        ),
        list(rows),
        "No API keys.",
    )


def _decisions(user: User) -> Table:
    rows = reader().scalars(
        select(KycDecision).where(KycDecision.user_id == user.id).order_by(KycDecision.id.desc())
    )
    return Table(
        "Identity decisions",
        (
            Column("Tier", lambda row: tier(row.tier)),
            Column("Reason", lambda row: cells.text(row.reason), wide=True),
            Column("By", lambda row: cells.person(row.decided_by)),
            Column("When", lambda row: cells.when(row.at)),
        ),
        list(rows),
        "Nobody has decided anything yet.",
    )
