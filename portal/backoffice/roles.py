"""Who sees what and may do what at the desk: one table, and the navigation in the same order.

`portal db upgrade` writes it into Flask-AppBuilder's tables; a test fails when a view or an act
is missing here. Money and rules change hands on purpose: an admin runs the system but decides
no dispute, an arbiter decides disputes and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

ADMIN, OPERATOR, COMPLIANCE = "Admin", "Operator", "Compliance"
ARBITER, SUPPORT, AUDITOR = "Arbiter", "Support", "Auditor"
TRADER = "Trader"
STAFF_ROLES = (ADMIN, OPERATOR, COMPLIANCE, ARBITER, SUPPORT, AUDITOR)
ROLES = (*STAFF_ROLES, TRADER)

EVERYBODY = frozenset(STAFF_ROLES)
RUNNING = frozenset({ADMIN, OPERATOR, AUDITOR})
WATCHING = frozenset({ADMIN, OPERATOR, COMPLIANCE, AUDITOR})


@dataclass(frozen=True)
class Page:
    """A view: where it stands in the navigation, who sees it, who may do each of its acts.

    A page without a label is in no menu. `reads` is what only some of those see that see it.
    """

    view: str
    label: str
    category: str
    sees: frozenset[str]
    acts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    shows: tuple[str, ...] = ("can_list", "can_show")
    reads: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def menu(self) -> tuple[str, ...]:
        """Its entries in the navigation."""
        return (self.label, self.category) if self.label else ()


def _only(*roles: str) -> frozenset[str]:
    return frozenset(roles)


_INDEX = ("can_index",)

PAGES: tuple[Page, ...] = (
    Page("HomeView", "Home", "Desk", EVERYBODY, shows=_INDEX),
    Page("DisputeView", "Disputes", "Desk", EVERYBODY, {"decide": _only(ARBITER)}),
    Page("SearchView", "", "Desk", EVERYBODY, shows=_INDEX),
    Page(
        "MarketView",
        "Markets",
        "Trading",
        EVERYBODY,
        {name: _only(ADMIN, OPERATOR) for name in ("new", "change", "halt", "auction", "open")},
    ),
    Page("OrderView", "Orders", "Trading", EVERYBODY, {"cancel": _only(OPERATOR, COMPLIANCE)}),
    Page(
        "TradeView",
        "Trades",
        "Trading",
        EVERYBODY,
        {
            "clear": _only(COMPLIANCE),
            "refuse": _only(COMPLIANCE),
        },
        reads={"evidence": _only(ADMIN, COMPLIANCE, ARBITER, AUDITOR)},
    ),
    Page("EscrowView", "Escrows", "Trading", EVERYBODY),
    Page("QuoteView", "Prices", "Trading", EVERYBODY),
    Page("PersonView", "Traders", "People", EVERYBODY, {"set_tier": _only(COMPLIANCE)}),
    Page(
        "StaffView",
        "Staff",
        "People",
        _only(ADMIN, AUDITOR),
        {name: _only(ADMIN) for name in ("set_roles", "switch_off", "switch_on")},
    ),
    Page(
        "StatementLineView",
        "Bank statements",
        "Money",
        WATCHING | {ARBITER, SUPPORT},
        {name: _only(OPERATOR) for name in ("import_statement", "confirm", "dismiss")},
    ),
    Page("AccountView", "Accounts", "Money", WATCHING),
    Page("TransferView", "Ledger", "Money", WATCHING),
    Page(
        "ChainIntentView",
        "Chain transactions",
        "Money",
        WATCHING | {ARBITER, SUPPORT},
        {"retry": _only(OPERATOR)},
    ),
    Page("ChainMovementView", "Vault movements", "Money", WATCHING),
    Page(
        "PayoutStopView",
        "Payout stops",
        "Money",
        WATCHING | {ARBITER, SUPPORT},
        {"lift": _only(ADMIN, COMPLIANCE)},
    ),
    Page(
        "GatewayView",
        "Payment gateways",
        "Money",
        WATCHING,
        {"save": _only(ADMIN, OPERATOR)},
        shows=_INDEX,
    ),
    Page("FeeView", "Fees", "Rules", WATCHING, {"save": _only(ADMIN, OPERATOR)}, shows=_INDEX),
    Page(
        "RegionView", "Regions", "Rules", WATCHING, {"save": _only(ADMIN, COMPLIANCE)}, shows=_INDEX
    ),
    Page(
        "PluginView",
        "Plugins",
        "System",
        WATCHING,
        {"enable": _only(ADMIN), "disable": _only(ADMIN)},
        shows=_INDEX,
    ),
    Page("JobRunView", "Jobs", "System", RUNNING),
    Page("ChainEndpointView", "Chain endpoints", "System", RUNNING),
    Page(
        "AuditEventView",
        "Audit log",
        "System",
        WATCHING,
        {"verify": _only(ADMIN, AUDITOR), "checkpoint": _only(ADMIN, COMPLIANCE, AUDITOR)},
    ),
)

Grant = tuple[str, str]


def grants_of(role: str) -> frozenset[Grant]:
    """Every (permission, view) of a role, menu entries included."""
    grants: set[Grant] = set()
    for page in PAGES:
        if role not in page.sees:
            continue
        grants |= {(shown, page.view) for shown in page.shows}
        grants |= {("menu_access", name) for name in page.menu}
        only_some = {**page.acts, **page.reads}
        grants |= {(f"can_{name}", page.view) for name, roles in only_some.items() if role in roles}
    return frozenset(grants)


def all_grants() -> frozenset[Grant]:
    """Every (permission, view) that exists at the desk."""
    grants: set[Grant] = set()
    for page in PAGES:
        grants |= {(shown, page.view) for shown in page.shows}
        grants |= {(f"can_{name}", page.view) for name in (*page.acts, *page.reads)}
        grants |= {("menu_access", name) for name in page.menu}
    return frozenset(grants)
