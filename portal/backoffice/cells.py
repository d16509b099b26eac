"""How one value looks: money, price, time, state, person, link. All of it escaped."""

from datetime import UTC, datetime

from flask import url_for
from markupsafe import Markup, escape

from portal.backoffice import lookups
from portal.core.clock import from_ms, utc_now
from portal.core.money import units_text
from portal.engine.ids import IDS_A_DAY
from portal.ledger.rules import OUTSIDE

NOTHING = Markup('<span class="faint">—</span>')
_RUNNING = len(str(IDS_A_DAY)) - 1

# What a word of the portal means to the eye: done, wait (on somebody), harm, or plain.
_TONES = {
    "done": "completed confirmed done matched_ok verified released filled ok match open_market "
    "enabled MTCH success",
    "wait": "held disputed paid awaiting_payment locking matched new signed sent close CMTC halted "
    "running pending unmatched quarantined paused open_dispute",
    "harm": "failed refused NMTC error broken disabled missed",
}
_TONE_OF = {word: tone for tone, words in _TONES.items() for word in words.split()}


def money(units: int | None, code: str) -> Markup:
    """An amount with all of its asset's places, trailing zeros grey, the code beside it."""
    if units is None:
        return NOTHING
    return _number(units_text(units, lookups.asset(code).places), code)


def price(ticks: int | None, market_id: str) -> Markup:
    """A price of a market in its quote money."""
    market = lookups.market(market_id)
    if ticks is None or market is None:
        return NOTHING
    return _number(units_text(ticks, market.price_places), market.quote)


def _number(text: str, code: str) -> Markup:
    whole, _, fraction = text.partition(".")
    sign = "−" if whole.startswith("-") else ""
    shown = sign + f"{int(whole.lstrip('-')):,}"
    kept = fraction.rstrip("0")
    zeros = fraction[len(kept) :]
    point = "." if fraction else ""
    number = Markup("{}{}{}").format(shown, point, kept) if kept else Markup("{}").format(shown)
    grey = zeros if kept else point + zeros
    return Markup('<span class="number">{}<span class="zeros">{}</span></span> {}').format(
        number, grey, Markup('<span class="asset">{}</span>').format(code)
    )


def when(value: datetime | int | None) -> Markup:
    """A time: relative while recent, else the date; the exact time with its zone on hover."""
    if value is None:
        return NOTHING
    at = from_ms(value) if isinstance(value, int) else value
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    exact = at.astimezone(UTC)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        exact.isoformat(timespec="seconds"),
        exact.strftime("%d %b %Y, %H:%M:%S UTC"),
        _relative(exact),
    )


def _relative(at: datetime) -> str:
    seconds = (utc_now() - at).total_seconds()
    ago, size = seconds >= 0, abs(seconds)
    if size >= 86_400:
        return at.strftime("%d %b %Y, %H:%M")
    if size < 45:
        return "just now" if ago else "in under a minute"
    amount = f"{round(size / 60)} min" if size < 3_570 else f"{round(size / 3_600)} h"
    return f"{amount} ago" if ago else f"in {amount}"


def state(word: str | None, *, tone: str | None = None) -> Markup:
    """A state as a pill: a shape and a word, never colour alone."""
    if not word:
        return NOTHING
    return Markup('<span class="pill {}">{}</span>').format(
        tone or _TONE_OF.get(word, "plain"), word.replace("_", " ")
    )


def person(user_id: int | None) -> Markup:
    """A person, linked to their page."""
    if user_id == lookups.PLATFORM:
        return Markup('<span class="faint">platform</span>')
    name = lookups.person(user_id)
    if name is None:
        return NOTHING if user_id is None else Markup("#{}").format(user_id)
    endpoint = "PersonView.show" if name.kind == "trader" else "StaffView.show"
    return Markup('<a href="{}">{}</a>').format(url_for(endpoint, pk=name.id), name.text)


def link(endpoint: str, pk: object, text: object | None = None) -> Markup:
    """A link to the page of one record."""
    if pk is None:
        return NOTHING
    return Markup('<a href="{}">{}</a>').format(
        url_for(f"{endpoint}.show", pk=pk), number(pk) if text is None else text
    )


def number(pk: object) -> Markup:
    """A record's number, made as `portal.engine.ids` says; it copies whole.

    The zeros between the day and the running number are grey, in tables drawn as an ellipsis.
    """
    digits = str(pk)
    day, running = digits[:-_RUNNING], digits[-_RUNNING:]
    if not day or not digits.isdigit():
        return Markup("#{}").format(digits)
    kept = running.lstrip("0")
    return Markup(
        '<span class="number id" title="#{}">#{}<span class="zeros">{}</span>{}</span>'
    ).format(digits, day, running[: _RUNNING - len(kept)], kept)


def account(account_id: int) -> Markup:
    """A ledger account: whose, and which pocket, each linked to its page."""
    found = lookups.account(account_id)
    if found is None:
        return number(account_id)
    pocket = link("AccountView", found.id, found.kind.replace("_", " "))
    return pocket if found.kind == OUTSIDE else joined(person(found.owner_id), " ", pocket)


def moved(units: int, account_id: int) -> Markup:
    """An amount of what a ledger account is kept in."""
    found = lookups.account(account_id)
    return money(units, found.asset) if found else Markup("{}").format(units)


def code(value: str | None, *, keep: int = 0) -> Markup:
    """A hash, address or slug in fixed width; shortened to `keep` characters each side."""
    if not value:
        return NOTHING
    short = f"{value[:keep]}…{value[-keep:]}" if keep and len(value) > 2 * keep + 1 else value
    return Markup('<code title="{}">{}</code>').format(value, short)


def text(value: object, *, limit: int = 0) -> Markup:
    """Plain text; longer than `limit` is cut, whole on hover."""
    if value is None or value == "":
        return NOTHING
    whole = str(value)
    if not limit or len(whole) <= limit:
        return escape(whole)
    return Markup('<span title="{}">{}…</span>').format(whole, whole[:limit].rstrip())


def percent_of_bps(bps: int | None) -> Markup:
    """Basis points as a percentage."""
    if bps is None:
        return NOTHING
    return Markup('<span class="number">{}%</span>').format(f"{bps / 100:g}")


def duration(seconds: int) -> str:
    """Seconds as people say them: 30 min, 2 h, 1 d."""
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {name}"
    return f"{seconds} s"


def base_money(units: int | None, market_id: str) -> Markup:
    """An amount of a market's coin."""
    market = lookups.market(market_id)
    return money(units, market.base) if market else NOTHING


def side(word: str) -> Markup:
    """Buy or sell, in their own pair of colours and as a word with an arrow."""
    arrow = "▲" if word == "buy" else "▼"
    return Markup('<span class="side-{}">{} {}</span>').format(word, arrow, word)


def joined(*parts: Markup | str) -> Markup:
    """Several shown values in one line."""
    return Markup("").join(parts)
